package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// entries makes a tar file of headers; a name that ends in .json has its text.
func entries(t testing.TB, list ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range list {
		text := h.Uname
		h.Uname = ""
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Typeflag == tar.TypeReg && h.Size == 0 {
			h.Size = int64(len(text))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Flush()
	return append(b.Bytes(), make([]byte, 1024)...)
}

func file(name, text string) tar.Header { return tar.Header{Name: name, Uname: text} }

func TestTarRefuses(t *testing.T) {
	box, summary := file("mail/a/mailbox.json", `{"name":"a"}`), file("summary.json", `{"mailboxes":1,"messages":1}`)
	message := file("mail/a/1.eml", "x")
	record := func(key, value string) tar.Header {
		h := message
		h.PAXRecords = map[string]string{key: value}
		return h
	}
	for name, tt := range map[string]struct {
		list []tar.Header
		want error
		text string
	}{
		"good":                    {[]tar.Header{box, message, summary}, nil, ""},
		"folders":                 {[]tar.Header{{Name: "mail/", Typeflag: tar.TypeDir}, box, message, summary}, nil, ""},
		"up":                      {[]tar.Header{file("../x", "x")}, ErrFormat, "clean relative path"},
		"up in the middle":        {[]tar.Header{box, file("mail/a/../../x.eml", "x")}, ErrFormat, "clean relative path"},
		"absolute":                {[]tar.Header{file("/etc/passwd", "x")}, ErrFormat, "clean relative path"},
		"link":                    {[]tar.Header{{Name: "mail/a/1.eml", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}, ErrFormat, "found"},
		"hard link":               {[]tar.Header{{Name: "mail/a/1.eml", Typeflag: tar.TypeLink, Linkname: "x"}}, ErrFormat, "found"},
		"device":                  {[]tar.Header{{Name: "mail/a/1.eml", Typeflag: tar.TypeBlock}}, ErrFormat, "found"},
		"other file":              {[]tar.Header{box, file("mail/a/run.sh", "x")}, ErrFormat, "accepted are"},
		"file at the top":         {[]tar.Header{file("x.eml", "x")}, ErrFormat, "accepted are"},
		"no mailbox":              {[]tar.Header{message}, ErrFormat, "before the mailbox.json"},
		"other folder":            {[]tar.Header{box, file("mail/b/1.eml", "x")}, ErrFormat, "before the mailbox.json"},
		"name with up":            {[]tar.Header{file("mail/a/mailbox.json", `{"name":"a//b"}`)}, ErrFormat, "empty level"},
		"name with NUL":           {[]tar.Header{file("mail/a/mailbox.json", `{"name":"a\u0000"}`)}, ErrFormat, "control"},
		"no name":                 {[]tar.Header{file("mail/a/mailbox.json", `{}`)}, ErrFormat, "0 bytes"},
		"levels":                  {[]tar.Header{file("mail/a/mailbox.json", `{"name":"`+strings.Repeat("a/", 30)+`b"}`)}, ErrFormat, "31 levels"},
		"not JSON":                {[]tar.Header{file("mail/a/mailbox.json", `x`)}, ErrFormat, "mailbox.json"},
		"later version":           {[]tar.Header{file("archive.json", `{"version":2}`)}, ErrFormat, "found 2"},
		"large description":       {[]tar.Header{{Name: "archive.json", Size: 17 << 20}}, ErrFormat, "accepted are up to"},
		"no end":                  {[]tar.Header{box, message}, ErrIncomplete, "no summary.json after 1 messages"},
		"less than promised":      {[]tar.Header{box, summary}, ErrIncomplete, "found 0 messages"},
		"after the end":           {[]tar.Header{box, message, summary, message}, ErrFormat, "found after"},
		"bad date":                {[]tar.Header{box, record(recordDate, "yesterday")}, ErrFormat, "yesterday"},
		"date of a billion years": {[]tar.Header{box, record(recordDate, "9000000000000000000")}, ErrFormat, "Unix milliseconds"},
		"bad zone":                {[]tar.Header{box, record(recordZone, "9999")}, ErrFormat, "9999"},
		"bad ordinal":             {[]tar.Header{box, record(recordOrdinal, "0")}, ErrFormat, "ordinal"},
	} {
		_, err := readAll(NewTarReader(bytes.NewReader(entries(t, tt.list...))))
		if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want %q", name, err, tt.text)
		}
	}
}

func TestTarTellsWhatIsLost(t *testing.T) {
	damaged := file("mail/a/1.eml", "x")
	damaged.PAXRecords = map[string]string{recordHash: strings.Repeat("0", 64)}
	flags := file("mail/a/2.eml", "x")
	flags.PAXRecords = map[string]string{recordFlags: strings.Repeat("f ", maxFlags+1)}
	got := collect(t, NewTarReader(bytes.NewReader(entries(t, file("mail/a/mailbox.json", `{"name":"a"}`), damaged, flags,
		file("mail/a/3.lost.json", `{"where":"uid 7","what":"gone"}`), file("summary.json", `{"messages":2,"lost":1}`)))))
	for i, want := range []string{"SHA-256", "flags", "gone"} {
		if lost, ok := got[i+1].(*Lost); !ok || lost.Mailbox != "a" || !strings.Contains(lost.What, want) {
			t.Errorf("%d: %+v", i, got[i+1])
		}
	}
}

// TestTarCut cuts an archive everywhere: it is never taken for whole, and what came before the cut is right.
func TestTarCut(t *testing.T) {
	want := []Item{
		&Header{Version: version, Made: time.Unix(1, 0).UTC()}, &Mailbox{Name: "a"}, &Message{Mailbox: "a", Raw: []byte("hello")},
		&Message{Mailbox: "a", Raw: []byte("world"), Date: time.UnixMilli(5).In(time.FixedZone("", -210*60))}, &Summary{Mailboxes: 1, Messages: 2, Bytes: 10},
	}
	var b bytes.Buffer
	writeAll(t, NewTarWriter(&b), want)
	end := len(bytes.TrimRight(b.Bytes(), "\x00")) // empty blocks at the end are not needed
	for cut := range end {
		got, err := readAll(NewTarReader(bytes.NewReader(b.Bytes()[:cut])))
		if err == nil {
			t.Fatalf("cut at %d of %d: no error", cut, b.Len())
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("cut at %d: item %d is %+v", cut, i, got[i])
			}
		}
	}
}

// TestPart: what is sent to a cell needs neither beginning nor end.
func TestPart(t *testing.T) {
	var b bytes.Buffer
	message := &Message{Mailbox: "a", Raw: []byte("x"), ID: "pull:1", Ordinal: 3, Saved: time.UnixMilli(7).UTC(), Date: time.UnixMilli(-7).UTC()}
	writeAll(t, NewTarWriter(&b), []Item{message})
	want := []Item{&Mailbox{Name: "a"}, message}
	if got := collect(t, NewPartReader(&b)); !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v, want %+v", got, want)
	}
}

// FuzzTar makes up what entries say; how a tar file is read is the standard library's business.
func FuzzTar(f *testing.F) {
	f.Add("mail/a/mailbox.json", `{"name":"a"}`, "mail/a/1.eml", "A: b\r\n\r\n", `\Seen x`, "5", "6", "1")
	f.Add("archive.json", `{"version":1,"subscriptions":["a"]}`, "summary.json", `{"lost":-1}`, "", "", "", "")
	f.Add("mail/a/mailbox.json", `{"name":"../a"}`, "mail/a/x.lost.json", `{"mailbox":"b"}`, "", "-9", "x", "-1")
	f.Fuzz(func(t *testing.T, name, text, name2, text2, flags, date, saved, ordinal string) {
		second := file(name2, text2)
		second.PAXRecords = map[string]string{recordFlags: flags, recordDate: date, recordZone: ordinal, recordSaved: saved, recordOrdinal: ordinal}
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []tar.Header{file(name, text), second, file("summary.json", `{"messages":1}`)} {
			text := h.Uname
			h.Uname, h.Typeflag, h.Size = "", tar.TypeReg, int64(len(text))
			if w.WriteHeader(&h) != nil {
				return // a name or record that no tar file can have
			}
			w.Write([]byte(text))
		}
		items, err := readAll(NewTarReader(&b))
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrIncomplete) {
			t.Fatal(err)
		}
		for _, i := range items {
			if m, ok := i.(*Mailbox); ok && checkName(m.Name) != nil {
				t.Fatalf("mailbox %q", m.Name)
			}
		}
		b.Reset()
		writeAll(t, NewTarWriter(&b), items)
		again, _ := readAll(NewTarReader(&b))
		if !reflect.DeepEqual(bare(again), bare(items)) {
			t.Fatalf("%+v became %+v", items, again)
		}
	})
}

// bare is the messages among items.
func bare(items []Item) []Item {
	var out []Item
	for _, i := range items {
		if m, ok := i.(*Message); ok {
			out = append(out, m)
		}
	}
	return out
}
