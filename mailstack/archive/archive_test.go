package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// oddNames are mailbox names that file systems or formats could stumble over.
var oddNames = []string{
	"INBOX", "Sent", "Éléments envoyés", "Projets/2026/Été", "..", "../..", ".", "a/../b", "cur", "new", "x.mbox", "x.mbox/y",
	"a.eml", "mailbox.json", "a.b.c", "a.b/c.d", `back\slash`, `\2e`, "100%", "%2F", "& more", "a:b?c<d>e|f\"g", " leading", "trailing ",
	"~root", ".hidden", "字幕", "🙂/🙃", "-", "con", strings.Repeat("long", 60), "INBOX/below", strings.Repeat("l/", 19) + "l",
}

func randomMessage(r *rand.Rand, mailbox string) *Message {
	m := &Message{Mailbox: mailbox, Date: time.UnixMilli(r.Int64N(4e12)).UTC()}
	for _, f := range []imap.Flag{`\Answered`, `\Deleted`, `\Draft`, `\Flagged`, `\Seen`, "$Forwarded", "work", "a]b"} {
		if r.IntN(4) == 0 {
			m.Flags = append(m.Flags, f)
		}
	}
	lines := []string{"", "From the start", ">From quoted", ">>From twice", "from", "Status: RO", "text", strings.Repeat("long ", 14000), "Été"}
	raw := "Subject: " + fmt.Sprint(r.Int()) + "\r\nFrom: a@b.tg\r\n\r\n"
	for range r.IntN(8) {
		raw += lines[r.IntN(len(lines))] + "\r\n"
	}
	m.Raw = []byte(raw)
	return m
}

// randomItems is an archive; each mailbox once.
func randomItems(r *rand.Rand) []Item {
	h := &Header{Version: version, Address: "afi@gouv.tg", Made: time.Unix(1700000000, 0).UTC()}
	items := []Item{h}
	var s Summary
	for _, n := range r.Perm(len(oddNames))[:r.IntN(len(oddNames))+1] {
		name := oddNames[n]
		if r.IntN(2) == 0 {
			h.Subscriptions = append(h.Subscriptions, name)
		}
		m := &Mailbox{Name: name}
		if r.IntN(3) == 0 {
			m.SpecialUse, m.Annotations = imap.MailboxAttrArchive, []Annotation{{"/private/comment", []byte{0, 255, '\n'}}, {"/shared/x", []byte{}}}
		}
		items = append(items, m)
		s.Add(m)
		for range r.IntN(5) {
			m := randomMessage(r, name)
			items = append(items, m)
			s.Add(m)
		}
	}
	return append(items, &s)
}

// collect reads all items.
func collect(t testing.TB, r Reader) []Item {
	t.Helper()
	items, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func readAll(r Reader) (items []Item, err error) {
	for {
		i, err := r.Next()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return items, err
		}
		items = append(items, i)
	}
}

func writeAll(t testing.TB, w Writer, items []Item) {
	t.Helper()
	for _, i := range items {
		if err := w.Write(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// sameMessages compares the messages of archives, whatever the order of mailboxes, and the mailboxes themselves. Flags are
// compared as sets; keep says what the format keeps of a message.
func sameMessages(t *testing.T, got, want []Item, keep func(*Message)) {
	t.Helper()
	index := func(items []Item) map[string][]Message {
		boxes := make(map[string][]Message)
		for _, i := range items {
			switch i := i.(type) {
			case *Mailbox:
				boxes[i.Name] = slices.Clip(boxes[i.Name])
				if boxes[i.Name] == nil {
					boxes[i.Name] = []Message{}
				}
			case *Message:
				m := *i
				m.Flags = slices.Clone(m.Flags)
				slices.Sort(m.Flags)
				keep(&m)
				boxes[m.Mailbox] = append(boxes[m.Mailbox], m)
			case *Lost:
				t.Errorf("lost: %+v", i)
			}
		}
		return boxes
	}
	g, w := index(got), index(want)
	for name := range w {
		if !reflect.DeepEqual(g[name], w[name]) && len(g[name])+len(w[name]) > 0 {
			t.Errorf("%q: found %d messages, want %d, or they differ", name, len(g[name]), len(w[name]))
			for i := range min(len(g[name]), len(w[name])) {
				if !reflect.DeepEqual(g[name][i], w[name][i]) {
					t.Logf("found %+.300v\nwant  %+.300v", g[name][i], w[name][i])
					break
				}
			}
		}
		if _, ok := g[name]; !ok {
			t.Errorf("%q: not found", name)
		}
	}
	for name := range g {
		if _, ok := w[name]; !ok && name != inbox && len(g[name]) > 0 { // folders above others become mailboxes
			t.Errorf("%q: found, but it was not written", name)
		}
	}
}

// TestFoldersRoundTrip writes archives in the formats for other programs and reads them back.
func TestFoldersRoundTrip(t *testing.T) {
	nothing := func(*Message) {}
	for format, keep := range map[Format]func(*Message){
		Maildir: nothing,
		Mbox:    func(m *Message) { m.Date = m.Date.Truncate(time.Second) },
		EML:     func(m *Message) { m.Flags = nil },
		Tar:     nothing,
	} {
		t.Run(string(format), func(t *testing.T) {
			for seed := range uint64(6) {
				want := randomItems(rand.New(rand.NewPCG(seed, 4)))
				if format != Tar { // cut names cannot be had back
					want = slices.DeleteFunc(want, func(i Item) bool {
						box, isBox := i.(*Mailbox)
						m, isMessage := i.(*Message)
						return isBox && len(box.Name) > 200 || isMessage && len(m.Mailbox) > 200
					})
				}
				path := filepath.Join(t.TempDir(), "out")
				w, err := Create(path, format)
				if err != nil {
					t.Fatal(err)
				}
				writeAll(t, w, want)
				if found, err := Detect(path); len(want) > 3 && (err != nil || found != format && format != EML) {
					t.Errorf("detected as %q, %v", found, err)
				}
				r, err := Open(path, format)
				if err != nil {
					t.Fatal(err)
				}
				got := collect(t, r)
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				sameMessages(t, got, want, keep)
				if format == Tar && !reflect.DeepEqual(got, want) {
					t.Error("tar: items differ")
				}
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// TestNothingLeavesTheFolder: whatever mailboxes are called, all files lie below the folder of the export.
func TestNothingLeavesTheFolder(t *testing.T) {
	for _, format := range []Format{Maildir, Mbox, EML} {
		parent := t.TempDir()
		w, err := Create(filepath.Join(parent, "out"), format)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append([]string{"/etc/x", "a\x00b", "a\nb"}, oddNames...) {
			err := w.Write(&Message{Mailbox: name, Raw: []byte("a: b\r\n\r\n")})
			if err != nil && !errors.Is(err, ErrFormat) {
				t.Errorf("%s: %q: %v", format, name, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
			t.Errorf("%s: beside the folder: %v, %v", format, entries, err)
		}
	}
}

func TestReadersStayInTheFolder(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("From: x\r\n\r\nsecret\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"cur", "new", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"cur/1:2,S", "a.eml"} {
		if err := os.Symlink(secret, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, format := range []Format{Maildir, EML} {
		r, err := Open(dir, format)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range collect(t, r) {
			if m, ok := i.(*Message); ok {
				t.Errorf("%s: read %q through a link", format, m.Raw)
			}
		}
		r.Close()
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(taken, Tar); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("over a file: %v", err)
	}
	for _, format := range []Format{Tar, EML} {
		name := filepath.Join(dir, string(format))
		w, err := Create(name, format)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s: there before it is complete", format)
		}
		if err := w.Discard(); err != nil {
			t.Error(err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left after Discard: %v", entries)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		format Format
		want   string
	}{
		{file, "", "neither a tar nor an mbox"}, {dir, "", "neither cur"}, {dir, Tar, "a folder"}, {file, Maildir, "a file"},
		{file, EML, "a file"}, {dir, Maildir, "no folders cur and new"}, {filepath.Join(dir, "none"), "", "no such file"},
	} {
		if _, err := Open(tt.name, tt.format); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s as %q: %v, want %q", tt.name, tt.format, err, tt.want)
		}
	}
	if err := os.WriteFile(file, []byte("From x Mon Nov  2 10:00:05 2026\nA: b\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []Format{"", Mbox} {
		r, err := Open(file, format)
		if err != nil {
			t.Fatal(err)
		}
		if items := collect(t, r); len(items) != 2 || items[0].(*Mailbox).Name != inbox {
			t.Errorf("one mbox file: %+v", items)
		}
		r.Close()
	}
	if _, err := ParseFormat("zip"); err == nil || !strings.Contains(err.Error(), Formats) {
		t.Errorf("zip: %v", err)
	}
}

// slice is a Reader of items.
type slice []Item

func (s *slice) Next() (Item, error) {
	if len(*s) == 0 {
		return nil, io.EOF
	}
	i := (*s)[0]
	*s = (*s)[1:]
	return i, nil
}

func TestNumber(t *testing.T) {
	date := time.Unix(1700000000, 0)
	message := func(mailbox, text string, date time.Time) Item {
		return &Message{Mailbox: mailbox, Raw: []byte(text), Date: date}
	}
	r := Number(&slice{
		&Mailbox{Name: "a"}, message("a", "x", date), message("a", "y", date), message("a", "x", date), message("a", "x", date.Add(1e6)),
		message("a", "x", date), message("b", "x", date),
	})
	var got []int
	for _, i := range collect(t, r) {
		if m, ok := i.(*Message); ok {
			got = append(got, m.Ordinal)
		}
	}
	if want := []int{1, 1, 2, 1, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("ordinals %v, want %v", got, want)
	}
}

func TestUnder(t *testing.T) {
	items := func() *slice {
		return &slice{
			&Header{Subscriptions: []string{"INBOX", "a/b"}, Annotations: []Annotation{{"/shared/x", nil}}},
			&Mailbox{Name: "INBOX", SpecialUse: imap.MailboxAttrSent}, &Message{Mailbox: "Inbox/b"}, &Lost{Mailbox: "c"}, &Summary{},
		}
	}
	got := collect(t, Under(items(), "Old/2025"))
	want := []Item{
		&Header{Subscriptions: []string{"Old/2025", "Old/2025/a/b"}}, &Mailbox{Name: "Old/2025"}, &Message{Mailbox: "Old/2025/b"},
		&Lost{Mailbox: "Old/2025/c"}, &Summary{},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v, want %+v", got, want)
	}
	if got := collect(t, Under(items(), "")); !reflect.DeepEqual(got, []Item(*items())) {
		t.Error("an empty name changes something")
	}
}

func TestCopyStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := NewTarWriter(io.Discard)
	total, err := Copy(ctx, w, &slice{&Mailbox{Name: "a"}, &Message{Mailbox: "a", Raw: []byte("xyz")}, &Message{Mailbox: "a"}}, func(i Item) {
		if _, ok := i.(*Message); ok {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || total != (Summary{Mailboxes: 1, Messages: 1, Bytes: 3}) {
		t.Errorf("%+v, %v", total, err)
	}
}

func TestComponents(t *testing.T) {
	for name, want := range map[string]string{
		"..": "%2E%2E", ".": "%2E", "a.b": "a.b", "x.eml": "x%2Eeml", "Été": "Été", "a%2Fb": "a%252Fb", "a/b": "a%2Fb",
	} {
		if got := component(name); got != want || !strings.Contains(name, "/") && level(got) != name {
			t.Errorf("%q: %q, back %q; want %q", name, got, level(got), want)
		}
	}
	a, b := component(strings.Repeat("é", 400)+"a"), component(strings.Repeat("é", 400)+"b")
	if len(a) > maxComponent || a == b || !bytes.HasPrefix([]byte(a), []byte("éé")) {
		t.Errorf("%q, %q", a, b)
	}
}
