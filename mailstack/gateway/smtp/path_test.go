package smtp

import (
	"strings"
	"testing"
)

func TestParsePath(t *testing.T) {
	for in, want := range map[string]struct {
		path Path
		back string // String; empty when in is refused
	}{
		"<a@gouv.tg>":                            {Path{"a", "gouv.tg"}, "a@gouv.tg"},
		"<A.b+c@x_y.Example>":                    {Path{"A.b+c", "x_y.Example"}, "A.b+c@x_y.Example"},
		`<"a b"@x.example>`:                      {Path{"a b", "x.example"}, `"a b"@x.example`},
		`<"a\"\\b"@x.example>`:                   {Path{`a"\b`, "x.example"}, `"a\"\\b"@x.example`},
		`<"plain"@x.example>`:                    {Path{"plain", "x.example"}, "plain@x.example"},
		"<@a.example,@b.tg:c@d.tg>":              {Path{"c", "d.tg"}, "c@d.tg"},
		"<a@[192.0.2.1]>":                        {Path{"a", "[192.0.2.1]"}, "a@[192.0.2.1]"},
		"<a@[IPv6:2001:db8::1]>":                 {Path{"a", "[IPv6:2001:db8::1]"}, "a@[IPv6:2001:db8::1]"},
		"<Postmaster>":                           {Path{"Postmaster", ""}, "Postmaster"},
		"a@gouv.tg":                              {},
		"<a>":                                    {},
		"<a@>":                                   {},
		"<@b.tg>":                                {},
		"<a@b.tg":                                {},
		"<a b@c.tg>":                             {},
		"<a..b@c.tg>":                            {},
		`<"a@c.tg>`:                              {},
		`<"a\`:                                   {},
		`<""@c.tg>`:                              {},
		"<a@b..tg>":                              {},
		"<a@b.tg> >":                             {Path{"a", "b.tg"}, "a@b.tg"},
		"<a@[]>":                                 {},
		"<a\x00@b.tg>":                           {},
		"<é@b.tg>":                               {},
		"<" + strings.Repeat("a", 65) + "@b.tg>": {},
	} {
		p, _, err := parsePath(in)
		if (err == nil) != (want.back != "") || err == nil && (p != want.path || p.String() != want.back) {
			t.Errorf("parsePath(%q) = %+v, %v; want %+v", in, p, err, want)
		}
	}
	if p, rest, err := parsePath("<> SIZE=1"); err != nil || !p.Null() || rest != " SIZE=1" {
		t.Errorf("null path: %+v, %q, %v", p, rest, err)
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("<a@gouv.tg> SIZE=100")
	f.Add(`<"a\ b"@[IPv6:::1]>`)
	f.Add("<@a,@b:c@d>")
	f.Fuzz(func(t *testing.T, in string) {
		p, _, err := parsePath(in)
		if err != nil {
			return
		}
		// What goes on to a cell is one argument, and the cell reads the same from it.
		s := p.String()
		if strings.ContainsAny(s, "\r\n\x00") || len(s) > 2*maxLocal+maxDomain+3 {
			t.Fatalf("%q gives %q", in, s)
		}
		again, rest, err := parsePath("<" + s + ">")
		if err != nil || again != p || rest != "" {
			t.Fatalf("%q gives %q, which gives %+v, %q, %v", in, s, again, rest, err)
		}
	})
}

func TestDecodeXtext(t *testing.T) {
	for in, want := range map[string]string{"abc": "abc", "a+2Bb+3D": "a+b=", "": "", "a+": "!", "a+2": "!", "a+ZZ": "!", "a+0A": "!", "é": "!"} {
		got, ok := decodeXtext(in)
		if ok == (want == "!") || ok && got != want {
			t.Errorf("decodeXtext(%q) = %q, %v", in, got, ok)
		}
	}
}

func TestParseParameters(t *testing.T) {
	for in, ok := range map[string]bool{"": true, " SIZE=1 BODY=8BITMIME": true, " X": true, "SIZE=1": false, " =1": false, " SIZE=1 size=2": false, " A;B=1": false} {
		if _, got := parseParameters(in); got != ok {
			t.Errorf("parseParameters(%q): %v", in, got)
		}
	}
}
