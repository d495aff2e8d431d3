package imap

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func read(in string) (cmds []command, wrote string, last error) {
	var w strings.Builder
	r := newReader(iotest.OneByteReader(strings.NewReader(in)), func(s string) error { w.WriteString(s); return nil })
	for range 100 {
		cmd, err := r.command()
		if errors.Is(err, errSyntax) {
			cmds = append(cmds, command{tag: cmd.tag, name: "!"})
			continue
		}
		if err != nil {
			return cmds, w.String(), err
		}
		cmds = append(cmds, cmd)
	}
	return cmds, w.String(), nil
}

func TestReader(t *testing.T) {
	bad := func(tag string) command { return command{tag: tag, name: "!"} }
	noop := command{tag: "z", name: "NOOP"}
	for in, want := range map[string][]command{
		"a noop\r\n":                                 {{tag: "a", name: "NOOP"}},
		"a NOOP\n":                                   {{tag: "a", name: "NOOP"}},
		"a ID (\"x\" \"y\")\r\n":                     {{tag: "a", name: "ID", rest: " (\"x\" \"y\")"}},
		"a LOGIN u p\r\n":                            {{tag: "a", name: "LOGIN", args: []string{"u", "p"}}},
		"a LOGIN u@x.tg \"p \\\"\\\\é\"\r\n":         {{tag: "a", name: "LOGIN", args: []string{"u@x.tg", "p \"\\é"}}},
		"a LOGIN \"\" \"\"\r\n":                      {{tag: "a", name: "LOGIN", args: []string{"", ""}}},
		"a LOGIN {1+}\r\nu {3+}\r\na b\r\n":          {{tag: "a", name: "LOGIN", args: []string{"u", "a b"}}},
		"a LOGIN u p]\r\n":                           {{tag: "a", name: "LOGIN", args: []string{"u", "p]"}}},
		"a AUTHENTICATE PLAIN\r\n":                   {{tag: "a", name: "AUTHENTICATE", args: []string{"PLAIN"}}},
		"a AUTHENTICATE PLAIN =\r\n":                 {{tag: "a", name: "AUTHENTICATE", args: []string{"PLAIN", "="}}},
		"a AUTHENTICATE\r\nz NOOP\r\n":               {bad("a"), noop},
		"a LOGIN\r\nz NOOP\r\n":                      {bad("a"), noop},
		"a LOGIN u\r\nz NOOP\r\n":                    {bad("a"), noop},
		"a LOGIN  u p\r\nz NOOP\r\n":                 {bad("a"), noop},
		"a LOGIN u p \r\nz NOOP\r\n":                 {bad("a"), noop},
		"a LOGIN u (p)\r\nz NOOP\r\n":                {bad("a"), noop},
		"a LOGIN u \"p\r\nz NOOP\r\n":                {bad("a"), noop},
		"a LOGIN u \"\\p\"\r\nz NOOP\r\n":            {bad("a"), noop},
		"a LOGIN u \"\xff\"\r\nz NOOP\r\n":           {bad("a"), noop},
		"a LOGIN {x}\r\nz NOOP\r\n":                  {bad("a"), noop},
		"a LOGIN {3 }\r\nz NOOP\r\n":                 {bad("a"), noop},
		"a LOGIN {3} \r\nz NOOP\r\n":                 {bad("a"), noop},
		"\r\nz NOOP\r\n":                             {bad(""), noop},
		"a\r\nz NOOP\r\n":                            {bad("a"), noop},
		"a \r\nz NOOP\r\n":                           {bad("a"), noop},
		" NOOP\r\nz NOOP\r\n":                        {bad(""), noop},
		"a{ NOOP\r\nz NOOP\r\n":                      {bad("a"), noop},
		strings.Repeat("t", 65) + " X\r\nz NOOP\r\n": {bad(""), noop},
	} {
		got, _, err := read(in)
		if !reflect.DeepEqual(got, want) || !errors.Is(err, io.EOF) {
			t.Errorf("%q gives %+v, %v; want %+v", in, got, err, want)
		}
	}
}

func TestReaderAsksForLiterals(t *testing.T) {
	got, wrote, _ := read("a LOGIN {1}\r\nu {1}\r\np\r\n")
	if len(got) != 1 || wrote != "+ Ready\r\n+ Ready\r\n" {
		t.Errorf("%+v, wrote %q", got, wrote)
	}
}

func TestReaderIsBounded(t *testing.T) {
	for in, want := range map[string]error{
		"a " + strings.Repeat("x", 10000):               errTooLong,
		"a NOOP " + strings.Repeat("x", 10000) + "\r\n": errTooLong,
		"a LOGIN " + strings.Repeat("x", 10000):         errTooLong,
		"a LOGIN \"" + strings.Repeat("x", 10000):       errTooLong,
		"a LOGIN {4097}\r\n":                            errLiteral,
		"a LOGIN {4097+}\r\n":                           errLiteral,
		"a LOGIN {99999999999+}\r\n":                    errLiteral,
		"a LOGIN {1+}\r\n\x00 p\r\n":                    errLiteral,
		"a LOGIN {5+}\r\nabc":                           io.ErrUnexpectedEOF,
	} {
		if _, _, err := read(in); !errors.Is(err, want) {
			t.Errorf("%.30q: %v, want %v", in, err, want)
		}
	}
}

func TestGreeting(t *testing.T) {
	for in, want := range map[string]string{
		"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] hello\r\n": "IMAP4rev1 IDLE",
		"* PREAUTH hello\r\n":                             "",
		"* OK [CAPABILITY IMAP4rev1] hello\r\n":           "!",
		"* BYE no\r\n":                                    "!",
		"* PREAUTH [CAPABILITY IMAP4rev1\r\n":             "!",
	} {
		caps, err := greeting(in)
		if (err != nil) != (want == "!") || err == nil && caps != want {
			t.Errorf("greeting(%q) = %q, %v", in, caps, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add("a LOGIN {1+}\r\nu \"p\\\"\"\r\nb AUTHENTICATE PLAIN AAAA\r\n")
	f.Add("a STARTTLS\r\nb NOOP\r\n")
	f.Add("a LOGIN {3}\r\nabc {")
	f.Fuzz(func(t *testing.T, in string) {
		r := newReader(strings.NewReader(in), func(string) error { return nil })
		for range len(in) + 1 { // each command takes at least a byte
			cmd, err := r.command()
			if err != nil && !errors.Is(err, errSyntax) {
				return
			}
			if err != nil {
				continue
			}
			if cmd.tag == "" || len(cmd.tag) > maxTag || strings.ContainsAny(cmd.tag, "\r\n +") {
				t.Fatalf("tag %q", cmd.tag)
			}
			switch cmd.name {
			case "LOGIN":
				if len(cmd.args) != 2 || len(cmd.args[0])+len(cmd.args[1]) > 2*maxLine {
					t.Fatalf("arguments %q", cmd.args)
				}
			case "AUTHENTICATE":
				if len(cmd.args) < 1 || len(cmd.args) > 2 {
					t.Fatalf("arguments %q", cmd.args)
				}
			}
		}
		t.Fatal("reads without end")
	})
}
