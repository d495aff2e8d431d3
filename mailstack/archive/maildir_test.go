package archive

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// TestMaildirOfDovecot reads folders as Dovecot leaves them.
func TestMaildirOfDovecot(t *testing.T) {
	dir := t.TempDir()
	when := time.UnixMilli(1700000000123).UTC()
	for name, text := range map[string]string{
		"cur/1600000002.M1P2.host,S=6,W=8:2,Sab":  "A: b\n\nsecond\n",
		"cur/1600000001.M1P2.host,S=6,W=8:2,FRST": "A: b\n\nthird\n",
		"cur/1600000009.M1P2.host:2,":             "A: b\n\nfirst\n",
		"new/1600000003.M1P2.host":                "A: b\r\n\r\nfourth\r\n",
		"tmp/1600000004.M1P2.host":                "half a message",
		"cur/.hidden":                             "x",
		"dovecot-keywords":                        "0 work\n1 $Label1\n27 none\nx\n",
		"dovecot-uidlist":                         "3 V1600000000 N9 G00ff\n1 :1600000009.M1P2.host\n5 W8 S6 :1600000002.M1P2.host,S=6,W=8\n7 :1600000001.M1P2.host,S=6,W=8\nrubbish\n",
		"subscriptions":                           "V\t2\n\nINBOX\nProjets\t2026\n&AMk-t&AOk-\n",
		".Projets.2026/cur/1.x:2,":                "A: b\n\nx\n",
		".&AMk-t&AOk-.v1\\2e0/new/1.x":            "A: b\n\nx\n",
		".nomail/x":                               "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".&AMk-t&AOk-.v1\\2e0/cur"), 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	message := func(mailbox, text string, flags ...imap.Flag) Item {
		return &Message{Mailbox: mailbox, Raw: []byte("A: b\r\n\r\n" + text + "\r\n"), Date: when, Flags: flags}
	}
	want := []Item{
		&Header{Version: version, Subscriptions: []string{"INBOX", "Projets/2026", "Été"}},
		&Mailbox{Name: "INBOX"}, message("INBOX", "first"), message("INBOX", "second", `\Seen`, "work", "$Label1"),
		message("INBOX", "third", `\Flagged`, `\Answered`, `\Seen`, `\Deleted`), message("INBOX", "fourth"),
		&Mailbox{Name: "Été/v1.0"}, message("Été/v1.0", "x"),
		&Mailbox{Name: "Projets/2026"}, message("Projets/2026", "x"),
	}
	got := collect(t, r)
	if len(got) != len(want) {
		t.Fatalf("found %d items, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("item %d: found %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestMaildirKeepsSubscriptions(t *testing.T) {
	dir := t.TempDir()
	w, err := NewMaildirWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"INBOX", "a.b/c", "Été", `x\2e`}
	writeAll(t, w, []Item{&Header{Subscriptions: names}})
	r, err := NewMaildirReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if h, ok := collect(t, r)[0].(*Header); !ok || !slices.Equal(h.Subscriptions, names) {
		t.Errorf("%+v", h)
	}
}

func TestMaildirLetters(t *testing.T) {
	keywords := slices.Repeat([]string{"x"}, 24)
	for _, tt := range []struct {
		flags []imap.Flag
		want  string
	}{
		{nil, ""}, {[]imap.Flag{`\Seen`, `\Draft`, "x"}, "DSa"}, {[]imap.Flag{"new", "newer"}, "yz"}, {[]imap.Flag{"one too many", `\Flagged`}, "F"},
		{[]imap.Flag{"$Forwarded"}, "P"},
	} {
		if got := letters(tt.flags, &keywords); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.flags, got, tt.want)
		}
	}
	if got := flagsOf("x:2,PSz", readKeywords("25 last\n")); !slices.Equal(got, []imap.Flag{"$Forwarded", `\Seen`, "last"}) {
		t.Errorf("%v", got)
	}
}

func FuzzMaildirName(f *testing.F) {
	for _, name := range oddNames {
		f.Add(name, "1.x:2,FSab", "0 a\n1 b\n", "1 :1.x")
	}
	f.Add(".&AMk-t&AOk-", ":2,", "-1 x\n999999999999999999999 y", "x :y\n4294967296 :z")
	f.Fuzz(func(t *testing.T, name, file, keywords, uids string) {
		if mailbox, err := mailboxOf(name); err == nil {
			if err := checkName(mailbox); err != nil {
				t.Fatalf("%q: %q: %v", name, mailbox, err)
			}
		}
		if checkName(name) == nil {
			folder := folderName(name)
			if strings.Contains(folder, "/") || folder != "." && !strings.HasPrefix(folder, ".") || folder == ".." {
				t.Fatalf("%q lies in %q", name, folder)
			}
			if back, err := mailboxOf(folder); err != nil || back != name {
				t.Fatalf("%q became %q, %v", name, back, err)
			}
			for l := range strings.SplitSeq(path(name), "/") {
				if l == "" || l == "." || l == ".." || len(l) > 255 {
					t.Fatalf("%q lies in %q", name, path(name))
				}
			}
			for l := range strings.SplitSeq(name, "/") {
				if c := component(l); len(c) < maxComponent-24 && level(c) != l {
					t.Fatalf("%q became %q", l, level(c))
				}
			}
		}
		if flags := flagsOf(file, readKeywords(keywords)); len(flags) > maxFlags {
			t.Fatalf("%d flags", len(flags))
		}
		readUIDs(uids)
		readSubscriptions(uids)
	})
}
