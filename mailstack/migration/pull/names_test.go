package pull

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"
)

func TestPlan(t *testing.T) {
	b := func(name string, delimiter rune, use ...imap.MailboxAttr) box {
		out := box{name: name, delimiter: delimiter}
		if len(use) > 0 {
			out.use = use[0]
		}
		return out
	}
	const sent, trash = imap.MailboxAttrSent, imap.MailboxAttrTrash
	for name, tt := range map[string]struct {
		boxes []box
		own   []string
		fixed map[string]string
		want  map[string]string
	}{
		"plain":        {[]box{b("INBOX", '/'), b("a/b", '/')}, []string{""}, nil, map[string]string{"INBOX": "INBOX", "a/b": "a/b"}},
		"dots":         {[]box{b("INBOX", '.'), b("INBOX.a.b", '.'), b("INBOX.c/d", '.')}, []string{"INBOX."}, nil, map[string]string{"INBOX": "INBOX", "INBOX.a.b": "a/b", "INBOX.c/d": "c_d"}},
		"no delimiter": {[]box{b("a/b", 0)}, []string{""}, nil, map[string]string{"a/b": "a_b"}},
		"use":          {[]box{b("Sent Items", '/', sent), b("Sent Items/2025", '/'), b("Deleted", '/', trash)}, []string{""}, nil, map[string]string{"Sent Items": "Sent", "Sent Items/2025": "Sent/2025", "Deleted": "Trash"}},
		"use is taken": {[]box{b("Sent Items", '/', sent), b("sent", '/')}, []string{""}, nil, map[string]string{"Sent Items": "Sent Items", "sent": "sent"}},
		"two of a use": {[]box{b("A", '/', sent), b("B", '/', sent)}, []string{""}, nil, map[string]string{"A": "Sent", "B": "B"}},
		"odd":          {[]box{b("a*b%c\x01", '/'), b("x//y", '/'), b("\xffz", '/')}, []string{""}, nil, map[string]string{"a*b%c\x01": "a_b_c_", "x//y": "x/_/y", "\xffz": "_z"}},
		"collision":    {[]box{b("a*", '/'), b("a%", '/'), b("a_", '/')}, []string{""}, nil, map[string]string{"a%": "a_", "a*": "a_ (2)", "a_": "a_ (3)"}},
		"as before":    {[]box{b("Sent Items", '/', sent), b("Sent", '/')}, []string{""}, map[string]string{"Sent Items": "Sent"}, map[string]string{"Sent Items": "Sent", "Sent": "Sent (2)"}},
		"inbox":        {[]box{b("Inbox", '/'), b("inbox/a", '/')}, []string{""}, nil, map[string]string{"Inbox": "INBOX", "inbox/a": "INBOX/a"}},
	} {
		got := map[string]string{}
		for _, p := range plan(tt.boxes, namespaces{own: tt.own}, tt.fixed) {
			got[p.name] = p.to
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func FuzzAccepted(f *testing.F) {
	f.Add("INBOX.Été.a/b", '.')
	f.Add(strings.Repeat("a.", 50), '.')
	f.Add(strings.Repeat("é", 900)+"/ /*", '/')
	f.Fuzz(func(t *testing.T, name string, delimiter rune) {
		if !utf8.ValidRune(delimiter) {
			return
		}
		got := unused(accepted(name, delimiter), map[string]bool{accepted(name, delimiter): true})
		levels := strings.Split(got, "/")
		if got == "" || len(got) > maxName || len(levels) > maxLevels || !utf8.ValidString(got) ||
			strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f || r == '*' || r == '%' }) {
			t.Fatalf("%q became %q", name, got)
		}
		for _, l := range levels {
			if strings.TrimSpace(l) == "" {
				t.Fatalf("%q became %q", name, got)
			}
		}
	})
}

func TestNamespaces(t *testing.T) {
	ns := namespaces{own: []string{"INBOX."}, others: []string{"user.", "shared."}}
	for name, want := range map[string]string{
		"INBOX": "INBOX", "inbox": "inbox", "INBOX.Sent": "Sent", "user.kofi": "", "user": "", "shared.all": "", "other": "",
	} {
		b, ok := ns.box(&imap.ListData{Mailbox: name, Delim: '.'})
		got := ""
		if ok {
			got = ns.strip(b.name)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, attr := range []imap.MailboxAttr{imap.MailboxAttrNoSelect, imap.MailboxAttrNonExistent} {
		if _, ok := ns.box(&imap.ListData{Mailbox: "INBOX.x", Attrs: []imap.MailboxAttr{attr}}); ok {
			t.Errorf("%s is taken", attr)
		}
	}
}

func TestKeepFlags(t *testing.T) {
	for _, tt := range []struct {
		flags []imap.Flag
		want  string
	}{
		{[]imap.Flag{`\seen`, `\Recent`, "Work", "work", `\*`, "a b", "$Label1", imap.Flag(strings.Repeat("x", 101))}, `[$Label1 Work \Seen]`},
		{nil, "[]"},
	} {
		if got := fmt.Sprint(keep(tt.flags)); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.flags, got, tt.want)
		}
	}
	var many []imap.Flag
	for i := range 100 {
		many = append(many, imap.Flag(fmt.Sprint("k", i)))
	}
	if n := len(keep(many)); n != maxKeywords {
		t.Errorf("%d keywords", n)
	}
}
