package wire

import (
	"testing"
	"time"
)

func TestDates(t *testing.T) {
	for _, test := range []struct {
		input string
		want  string // empty: a syntax error
	}{
		{"1-Feb-2026", "2026-02-01"},
		{"01-feb-2026", "2026-02-01"},
		{`"11-DEC-1999"`, "1999-12-11"},
		{"29-Feb-2024", "2024-02-29"},
		{"29-Feb-2026", ""},
		{"31-Apr-2026", ""},
		{"0-Apr-2026", ""},
		{"00-Apr-2026", ""},
		{"1-Foo-2026", ""},
		{"1-Feb-26", ""},
		{"1 Feb 2026", ""},
		{`"1-Feb-2026`, ""},
		{"1-Feb-2026x", ""},
		{"", ""},
	} {
		r := clients("a "+test.input+"\r\n", Limits{})[0]
		begin(t, r.Reader)
		got, err := r.Date()
		if err == nil {
			err = r.CRLF()
		}
		if (err == nil) != (test.want != "") || err == nil && got.Format(time.RFC3339) != test.want+"T00:00:00Z" {
			t.Errorf("%q: got %v, %v", test.input, got, err)
		}
	}
}

func TestDateTimes(t *testing.T) {
	for _, test := range []struct {
		input string
		want  string // empty: a syntax error
	}{
		{`"17-Jul-1996 02:44:25 -0700"`, "1996-07-17T02:44:25-07:00"},
		{`" 1-Feb-2026 12:30:00 +0000"`, "2026-02-01T12:30:00Z"},
		{`"01-Feb-2026 12:30:00 +0545"`, "2026-02-01T12:30:00+05:45"},
		{`"31-Dec-2016 23:59:60 +0000"`, "2017-01-01T00:00:00Z"}, // a leap second
		{`"1-Feb-2026 12:30:00 +0000"`, ""},
		{`" 1-Feb-2026 24:30:00 +0000"`, ""},
		{`" 1-Feb-2026 12:60:00 +0000"`, ""},
		{`" 1-Feb-2026 12:30:61 +0000"`, ""},
		{`" 1-Feb-2026 12:30:00 +0060"`, ""},
		{`" 1-Feb-2026 12:30:00  0000"`, ""},
		{`" 1-Feb-2026T12:30:00 +0000"`, ""},
		{`"30-Feb-2026 12:30:00 +0000"`, ""},
		{`" 1-Feb-2026 12:30:00 +000"`, ""},
		{` 1-Feb-2026 12:30:00 +0000`, ""},
	} {
		r := clients("a "+test.input+"\r\n", Limits{})[0]
		begin(t, r.Reader)
		got, err := r.DateTime()
		if err == nil {
			err = r.CRLF()
		}
		if (err == nil) != (test.want != "") || err == nil && got.Format(time.RFC3339) != test.want {
			t.Errorf("%q: got %v, %v", test.input, got, err)
		}
	}
}

func TestMailboxNames(t *testing.T) {
	const refused = "refused"
	for _, test := range []struct {
		input string
		plain string // what the name is before the client enables UTF-8
		utf8  string // and after
	}{
		{"inbox", "INBOX", "INBOX"},
		{`"InBox/Work"`, "INBOX/Work", "INBOX/Work"},
		{"inboxes", "inboxes", "inboxes"},
		{"inbo", "inbo", "inbo"},
		{`""`, "", ""},
		{"Entw&APw-rfe", "Entwürfe", "Entw&APw-rfe"},
		{`"~peter/mail/&U,BTFw-/&ZeVnLIqe-"`, "~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
		{`"A&-B"`, "A&B", "A&-B"},
		{`"&-&-"`, "&&", "&-&-"},
		{`"&-&AOk-"`, "&é", "&-&AOk-"},
		{`"&AOk-&-"`, "é&", "&AOk-&-"},
		{`"&2D3eAA-"`, "😀", "&2D3eAA-"},
		{`"Reçus"`, refused, "Reçus"},
		{"{6+}\r\nRe\xc3\xa7us", refused, "Reçus"},
		{"{5+}\r\nRe\xe7us", refused, refused},
		{`"A&B"`, refused, "A&B"},
		{`"&"`, refused, "&"},
		{`"&AOk"`, refused, "&AOk"},
		{`"&AOk-&AOk-"`, refused, "&AOk-&AOk-"}, // one shift would do
		{`"&AGE-"`, refused, "&AGE-"},           // "a" needs no shift
		{`"&AO-"`, refused, "&AO-"},             // half a character
		{`"&AOl-"`, refused, "&AOl-"},           // bits that must be zero
		{`"&2D0-"`, refused, "&2D0-"},           // half a pair
		{`"&3gDYPQ-"`, refused, "&3gDYPQ-"},     // a pair the wrong way round
		{`"&A/k-"`, refused, "&A/k-"},
	} {
		for _, utf8 := range []bool{false, true} {
			r := clients("a "+test.input+"\r\n", Limits{})[0]
			r.UTF8 = utf8
			begin(t, r.Reader)
			want := test.plain
			if utf8 {
				want = test.utf8
			}
			got, err := r.Mailbox()
			if err == nil {
				err = r.CRLF()
			}
			if (err == nil) != (want != refused) || err == nil && got != want {
				t.Errorf("%s (UTF-8 %v): got %q, %v; want %q", test.input, utf8, got, err, want)
			}
		}
	}
}

func TestListMailbox(t *testing.T) {
	for _, test := range []struct{ input, want string }{
		{"*", "*"},
		{"%", "%"},
		{"inbox/%", "INBOX/%"},
		{`"a b*"`, "a b*"},
		{"a]%", "a]%"},
		{"Entw&APw-*", "Entwü*"},
	} {
		r := clients("a "+test.input+"\r\n", Limits{})[0]
		begin(t, r.Reader)
		if got, err := r.ListMailbox(); err != nil || got != test.want {
			t.Errorf("%q: got %q, %v", test.input, got, err)
		}
	}
}

func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"", "A&-B", "&U,BTFw-/&ZeVnLIqe-", "&2D3eAA-", "é", "a\x00b", "&-&AOk-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		decoded, ok := DecodeUTF7(s)
		if !ok {
			return
		}
		if again := string(AppendUTF7(nil, decoded)); again != s {
			t.Errorf("%q is %q, which is %q", s, decoded, again)
		}
	})
}
