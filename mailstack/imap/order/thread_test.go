package order

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// thread builds messages from lines "number sent subject id references...", with "-" for what is missing.
func thread(lines string) []Message {
	var messages []Message
	for line := range strings.Lines(lines) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		var m Message
		fmt.Sscan(f[0], &m.Number)
		fmt.Sscan(f[1], &m.Sent)
		if subject := strings.ReplaceAll(f[2], "_", " "); subject != "-" {
			base, reply := BaseSubject(subject)
			m.Subject, m.Reply = Casemap(base), reply
		}
		if f[3] != "-" {
			m.ID = f[3]
		}
		m.References = f[4:]
		messages = append(messages, m)
	}
	return messages
}

func TestReferences(t *testing.T) {
	for _, test := range []struct{ name, lines, want string }{
		{"none", "", ""},
		// RFC 5256, section 4: 2; 3 is the parent of 6, which is the parent of 4 and its child 23, and of 44, 7 and 96.
		{"the example of the RFC", `
			2 1 a a
			3 2 b b
			4 4 c c b f
			6 3 b f b
			7 6 d g b f h
			23 5 c i b f c
			44 5 d h b f
			96 7 d j b f h g`, "(2)(3 6 (4 23)(44 7 96))"},
		{"a missing root", "3 1 x c a\n5 2 y e a", "((3)(5))"},
		{"a missing root of one", "3 1 x c a\n5 2 y e c", "(3 5)"},
		{"missing links", "1 1 x c a b\n2 2 y d a b z\n3 3 z e q", "((1)(2))(3)"},
		{"dates order", "1 9 x a\n2 8 y b\n3 7 z c a\n4 6 z d a", "(2)(1 (4)(3))"},
		{"numbers order what dates do not", "1 5 x a\n2 5 y b\n3 5 z c", "(1)(2)(3)"},
		{"subjects join", "1 1 x a\n2 2 Re:_x b\n3 3 Re:_X c", "(1 (2)(3))"},
		{"a reply before its original", "1 1 Re:_x a\n2 2 x b", "(2 1)"},
		{"two originals", "1 1 x a\n2 2 x b\n3 3 x c", "((1)(2)(3))"},
		{"empty subjects do not join", "1 1 - a\n2 2 Re: b", "(1)(2)"},
		{"a dummy takes", "1 1 x a q\n2 2 y b q\n3 3 x c", "((1)(2)(3))"},
		{"dummies join", "1 1 x a q\n2 2 y b q\n3 3 x c r\n4 4 z d r", "((1)(2)(3)(4))"},
		{"the same id", "1 1 x a\n2 2 y a\n3 3 z b a", "(1 3)(2)"},
		{"a loop", "1 1 x a b\n2 2 y b a", "(2 1)"},
		{"itself", "1 1 x a a\n2 2 y b a b", "(1)(2)"},
		{"truncated references", "1 1 x a\n2 2 y b a\n3 3 z c b\n4 4 w d a c", "(1 2 3 4)"},
		{"a correction", "1 1 x c a b\n2 2 y b q\n3 3 z q", "(3 2 1)"},
	} {
		if got := string(AppendThreads(nil, References(thread(test.lines)))); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestOrderedSubject(t *testing.T) {
	for _, test := range []struct{ name, lines, want string }{
		{"none", "", ""},
		// RFC 5256, section 4.
		{"the example of the RFC", "166 1 a -\n167 2 b -\n168 3 c -\n169 4 d -\n172 5 e -\n170 6 f -\n171 7 Re:_e -\n173 8 g -\n" +
			"174 9 h -\n175 10 h -\n176 11 h -\n178 12 re:_H -\n181 13 h -\n180 14 h -",
			"(166)(167)(168)(169)(172 171)(170)(173)(174 (175)(176)(178)(181)(180))"},
		{"dates order", "1 3 x -\n2 2 y -\n3 1 x -", "(3 1)(2)"},
		{"numbers order what dates do not", "1 1 x -\n2 1 y -\n3 1 x -\n4 1 y -\n5 1 x -", "(1 (3)(5))(2 4)"},
	} {
		if got := string(AppendThreads(nil, OrderedSubject(thread(test.lines)))); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{"", ""},
		{"<a@b>", "a@b"},
		{`<"01KF8JCEOCBS0045PS"@xxx.yyy.com> <01KF8JCEOCBS0045PS@xxx.yyy.com>`, "01KF8JCEOCBS0045PS@xxx.yyy.com 01KF8JCEOCBS0045PS@xxx.yyy.com"},
		{"<a@b><c@d>\r\n\t<e@[1.2.3.4]>", "a@b c@d e@[1.2.3.4]"},
		{"message of Kossi <x> on Monday <a@b>", "a@b"},
		{"<a@\r\n b>", "a@b"},
		{`<"a>\"b"@c> <d@e>`, `a>"b@c d@e`},
		{"<@b> <a@> <> <<c@d> <e@f", "c@d"},
		{`<"open <c@d>`, ""},
		{"<" + strings.Repeat("a", 998) + "@b> <c@d>", "c@d"},
		{strings.Repeat("<a@b>", 9), "a@b a@b a@b a@b a@b"},
	} {
		if got := strings.Join(MessageIDs(test.value, 5), " "); got != test.want {
			t.Errorf("%q: %q, want %q", test.value, got, test.want)
		}
	}
}

// A long chain and a wide fan are neither slow nor deep.
func TestLargeThreads(t *testing.T) {
	const n = 100_000
	messages := make([]Message, n)
	for i := range messages {
		messages[i] = Message{Number: uint32(i + 1), Sent: int64(i), ID: fmt.Sprint(i)}
	}
	for i := range n - 1 { // each names the next one: parents come last
		messages[i].References = []string{fmt.Sprint(i + 1)}
	}
	out := AppendThreads(nil, References(messages))
	if want := fmt.Sprintf("(%d %d ", n, n-1); !strings.HasPrefix(string(out), want) || slices.Contains(out[1:], '(') {
		t.Errorf("chain begins %.40s", out)
	}
	for i := range messages { // a comb: nested as deep as can be
		messages[i].References = nil
		if i > 1 {
			messages[i].References = []string{fmt.Sprint((i - 1) / 2 * 2)}
		}
	}
	out = AppendThreads(nil, References(messages))
	if got, want := strings.Count(string(out), "("), n-1; got < want/2 || strings.Count(string(out), ")") != got {
		t.Errorf("comb has %d lists of %d messages", got, n)
	}
}

func BenchmarkReferences(b *testing.B) {
	const n = 200_000
	for name, reference := range map[string]func(i int) []string{
		"ordinary":   func(i int) []string { return []string{fmt.Sprint(i / 10 * 10), fmt.Sprint(i - i%10/2)} },
		"backwards":  func(i int) []string { return []string{fmt.Sprint(i + 1)} },
		"deep loops": func(i int) []string { return []string{fmt.Sprint(i - 1), fmt.Sprint(n - i), fmt.Sprint(i / 2)} },
	} {
		messages := make([]Message, n)
		for i := range messages {
			messages[i] = Message{Number: uint32(i + 1), Sent: int64(i), ID: fmt.Sprint(i), Subject: fmt.Sprint(i / 10), References: reference(i)}
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				References(messages)
			}
		})
	}
}
