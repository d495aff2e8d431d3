package directory

import (
	"strings"
	"testing"
)

func TestNormalizeAddress(t *testing.T) {
	for in, want := range map[string]string{
		"afi.mensah@gouv.tg":                    "afi.mensah@gouv.tg",
		"Afi.Mensah@Finances.GOUV.tg":           "afi.mensah@finances.gouv.tg",
		"o'neil+x@a-b.gouv.tg":                  "o'neil+x@a-b.gouv.tg",
		"":                                      "",
		"gouv.tg":                               "",
		"@gouv.tg":                              "",
		"a@":                                    "",
		"a@tg":                                  "",
		"a@b@gouv.tg":                           "",
		"a..b@gouv.tg":                          "",
		".a@gouv.tg":                            "",
		"a.@gouv.tg":                            "",
		"a b@gouv.tg":                           "",
		"\"a b\"@gouv.tg":                       "",
		"é@gouv.tg":                             "",
		"a@-x.gouv.tg":                          "",
		"a@x..tg":                               "",
		"a@gouv.tg.":                            "",
		"a@gouv.tg\r\n":                         "",
		"a@[192.0.2.1]":                         "",
		strings.Repeat("a", 64) + "@gouv.tg":    strings.Repeat("a", 64) + "@gouv.tg",
		strings.Repeat("a", 65) + "@gouv.tg":    "",
		"a@" + strings.Repeat("b", 64) + ".tg":  "",
		"a@" + strings.Repeat("b.", 130) + "tg": "",
		strings.Repeat("a", 64) + "@" + strings.Repeat("b.", 95) + "tg": "",
	} {
		got, err := NormalizeAddress(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("NormalizeAddress(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestSplitAddress(t *testing.T) {
	for in, want := range map[string][2]string{
		"a@b.tg": {"a", "b.tg"}, "a@b@c.tg": {"a@b", "c.tg"}, "a@": {}, "@b": {}, "a": {}, "": {},
	} {
		local, domain, ok := SplitAddress(in)
		if [2]string{local, domain} != want || ok != (want != [2]string{}) {
			t.Errorf("SplitAddress(%q) = %q, %q, %v", in, local, domain, ok)
		}
	}
}

func FuzzNormalizeAddress(f *testing.F) {
	f.Add("Afi.Mensah@gouv.tg")
	f.Add("a@b\x00.tg")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := NormalizeAddress(in)
		if err != nil {
			return
		}
		if again, err := NormalizeAddress(got); err != nil || again != got {
			t.Fatalf("%q became %q, then %q, %v", in, got, again, err)
		}
		if strings.ContainsAny(got, " <>\r\n\t\"\\,;:") || strings.Count(got, "@") != 1 {
			t.Fatalf("%q passes", got)
		}
	})
}
