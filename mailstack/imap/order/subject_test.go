package order

import (
	"regexp"
	"strings"
	"testing"
)

func TestBaseSubject(t *testing.T) {
	for _, test := range []struct {
		subject, base string
		reply         bool
	}{
		{"", "", false},
		{"test", "test", false},
		{"  a \t b\r\n c  ", "a b c", false},
		{"Re: test", "test", true},
		{"re :test", "test", true},
		{"RE: Fwd: FW : test", "test", true},
		{"Re[5]: test", "test", true},
		{"re [a b] : test", "test", true},
		{"[list] Re: test", "test", true},
		{"[a][b] [c] re: [d] test", "test", true},
		{"[list] test", "test", false},
		{"[list]", "[list]", false},
		{"[a] [b]", "[b]", false},
		{"Re: [a] [b] ", "[b]", true},
		{"[a[b] test", "[a[b] test", false},
		{"[] [[x]]", "[[x]]", false},
		{"test (fwd)", "test", true},
		{"test (FWD) (fwd) ", "test", true},
		{"(fwd)", "", true},
		{"[fwd: test]", "test", true},
		{"[Fwd: Re: [list] [FWD: test (fwd)] (fwd)]", "test", true},
		{"[fwd: a] b", "b", false},
		{"Re: [fwd: a] b", "b", true},
		{"fwd", "fwd", false},
		{"Re", "Re", false},
		{"Re: ", "", true},
		{"Fwd[x] test", "Fwd[x] test", false},
		{"Réunion: budget", "Réunion: budget", false},
		{"[fwd:", "[fwd:", false},
		{"[fwd:]", "", true},
	} {
		if base, reply := BaseSubject(test.subject); base != test.base || reply != test.reply {
			t.Errorf("%q: %q %v, want %q %v", test.subject, base, reply, test.base, test.reply)
		}
	}
}

var (
	ruleSpace   = regexp.MustCompile(`[\t\r\n ]+`)
	ruleTrailer = regexp.MustCompile(`(?i)( |\(fwd\))$`)
	ruleLeader  = regexp.MustCompile(`(?i)^((\[[^\[\]]*\] *)*(re|fwd?) *(\[[^\[\]]*\] *)?:| )`)
	ruleBlob    = regexp.MustCompile(`^\[[^\[\]]*\] *`)
	ruleForward = regexp.MustCompile(`(?is)^\[fwd:(.*)\]$`)
)

// plainBaseSubject does the steps of RFC 5256, section 2.1, one after the other.
func plainBaseSubject(s string) (string, bool) {
	reply := false
	s = ruleSpace.ReplaceAllString(s, " ")
	for {
		for m := ruleTrailer.FindString(s); m != ""; m = ruleTrailer.FindString(s) {
			reply = reply || m != " "
			s = s[:len(s)-len(m)]
		}
		for {
			before := s
			if m := ruleLeader.FindString(s); m != "" {
				reply = reply || m != " "
				s = s[len(m):]
			}
			if m := ruleBlob.FindString(s); m != "" && len(m) < len(s) {
				s = s[len(m):]
			}
			if s == before {
				break
			}
		}
		m := ruleForward.FindStringSubmatch(s)
		if m == nil {
			return s, reply
		}
		s, reply = m[1], true
	}
}

func FuzzBaseSubject(f *testing.F) {
	for _, s := range []string{"Re: [a] [fwd: x (fwd)]", "[a][b] fw[c] : [fwd:[fwd:]]", "[ ]re [] :\t(fwd) x", "[[[]]]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 2000 { // the plain way is slow
			s = s[:2000]
		}
		s = strings.ToValidUTF8(s, "?")
		base, reply := BaseSubject(s)
		if want, wantReply := plainBaseSubject(s); base != want || reply != wantReply {
			t.Fatalf("%q: %q %v, want %q %v", s, base, reply, want, wantReply)
		}
	})
}

// Long subjects that invite to look at the same again and again.
func BenchmarkBaseSubject(b *testing.B) {
	for name, s := range map[string]string{
		"ordinary": "Re: [ministeres] Fwd: Conseil du mardi 3 mars",
		"blobs":    strings.Repeat("[]", 32<<10),
		"forwards": strings.Repeat("[fwd:", 10<<10) + strings.Repeat("]", 10<<10),
		"open":     strings.Repeat("[fwd:re[x]", 6<<10),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				BaseSubject(s)
			}
		})
	}
}
