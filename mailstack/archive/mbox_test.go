package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

func TestMboxRead(t *testing.T) {
	date := time.Date(2026, 11, 2, 10, 0, 5, 0, time.UTC)
	const from = "From afi@gouv.tg Mon Nov  2 10:00:05 2026\n"
	message := func(raw string, date time.Time, flags ...imap.Flag) Item {
		return &Message{Mailbox: "m", Raw: []byte(raw), Date: date, Flags: flags}
	}
	for name, tt := range map[string]struct {
		text string
		want []Item
	}{
		"empty":         {"", nil},
		"only a line":   {"\n\n", nil},
		"one":           {from + "A: b\n\ntext\n", []Item{message("A: b\r\n\r\ntext\r\n", date)}},
		"two":           {from + "A: b\n\ntext\n\n" + from + "C: d\n\n\n", []Item{message("A: b\r\n\r\ntext\r\n", date), message("C: d\r\n\r\n", date)}},
		"CRLF":          {strings.ReplaceAll(from+"A: b\n\ntext\n\n"+from+"C: d\n\nx\n", "\n", "\r\n"), []Item{message("A: b\r\n\r\ntext\r\n", date), message("C: d\r\n\r\nx\r\n", date)}},
		"no last line":  {from + "A: b\n\ntext", []Item{message("A: b\r\n\r\ntext", date)}},
		"quoted":        {from + "A: b\n\n>From here\n>>From\n>From \n", []Item{message("A: b\r\n\r\nFrom here\r\n>>From\r\nFrom \r\n", date)}},
		"no empty line": {from + "A: b\n\ntext\nFrom the start\n", []Item{message("A: b\r\n\r\ntext\r\nFrom the start\r\n", date)}},
		"flags": {from + "Status: RO\nA: b\nX-Status: AFDT\nX-Keywords: work\n  $Label1\n\nStatus: R\n",
			[]Item{message("A: b\r\n\r\nStatus: R\r\n", date, `\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, "work", "$Label1")}},
		"words in Status": {from + "Status: pending\nX-Status: 5\n\n", []Item{message("Status: pending\r\nX-Status: 5\r\n", date)}},
		"zone":            {"From x Mon Nov  2 11:00:05 2026 +0100\nA: b\n\n\n", []Item{message("A: b\r\n\r\n", date)}},
		"no date": {"From - \nDate: Mon, 2 Nov 2026 10:00:05 +0000\n\nx\n",
			[]Item{message("Date: Mon, 2 Nov 2026 10:00:05 +0000\r\n\r\nx\r\n", date)}},
		"Received first": {"From \nReceived: from a by b; Mon,\n 2 Nov 2026 10:00:05 +0000\nDate: Mon, 2 Nov 2020 10:00:05 +0000\n\nx\n",
			[]Item{message("Received: from a by b; Mon,\r\n 2 Nov 2026 10:00:05 +0000\r\nDate: Mon, 2 Nov 2020 10:00:05 +0000\r\n\r\nx\r\n", date)}},
		"no date at all": {"From x\nA: b\n\nx\n", []Item{message("A: b\r\n\r\nx\r\n", time.Time{})}},
	} {
		got := collect(t, NewMboxReader(strings.NewReader(tt.text), "m"))
		want := append([]Item{&Mailbox{Name: "m"}}, tt.want...)
		if !reflect.DeepEqual(got, want) {
			for _, i := range got[1:] {
				t.Logf("%q", i.(*Message).Raw)
			}
			t.Errorf("%s: found %+v, want %+v", name, got, want)
		}
	}
	if _, err := readAll(NewMboxReader(strings.NewReader("hello\n"), "m")); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("no mbox: %v", err)
	}
}

func TestMboxLeavesOutWhatIsTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("64 MiB")
	}
	large := bytes.Repeat([]byte("0123456789abcde\n"), MaxMessage/16+1)
	in := append([]byte("From x\nA: b\n\n"), large...)
	in = append(in, "\nFrom x\nC: d\n\n"...)
	got := collect(t, NewMboxReader(bytes.NewReader(in), "m"))
	if lost, ok := got[1].(*Lost); !ok || lost.Where != "line 1" || len(got) != 3 || string(got[2].(*Message).Raw) != "C: d\r\n" {
		t.Errorf("%+v", got)
	}
}

// TestMboxText says how a file looks.
func TestMboxText(t *testing.T) {
	dir := t.TempDir()
	w, err := NewMboxWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	date := time.Date(2026, 11, 2, 10, 0, 5, 0, time.UTC)
	writeAll(t, w, []Item{
		&Mailbox{Name: "a/b"},
		&Message{Mailbox: "a/b", Date: date, Flags: []imap.Flag{`\Seen`, `\Flagged`, "x", "y"}, Raw: []byte("Status: R\r\nA: b\r\n\r\nFrom x\r\n>From\r\n")},
		&Message{Mailbox: "a/b", Raw: []byte("no header")},
	})
	text, err := os.ReadFile(filepath.Join(dir, "a", "b.mbox"))
	want := "From MAILER-DAEMON Mon Nov  2 10:00:05 2026\nA: b\nStatus: RO\nX-Status: F\nX-Keywords: x\n\ty\n\n>From x\n>From\n\n" +
		"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\nno header\nStatus: O\n\n\n"
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
}

func FuzzMbox(f *testing.F) {
	f.Add([]byte("From x Mon Nov  2 10:00:05 2026\nStatus: RO\nA: b\n\n>From x\n\nFrom x\nX-Keywords: a b\n\n"))
	f.Add([]byte("From x\r\n\r\nFrom y\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		items, err := readAll(NewMboxReader(bytes.NewReader(in), "m"))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		// What was read can be written, and is then the same for good.
		first := again(t, items)
		if second := again(t, first); !reflect.DeepEqual(first, second) {
			t.Fatalf("%s became %s", dump(first), dump(second))
		}
		if len(first) != len(items) {
			t.Fatalf("%s became %s", dump(items), dump(first))
		}
	})
}

func again(t *testing.T, items []Item) []Item {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	for _, i := range items {
		if m, ok := i.(*Message); ok {
			if err := writeMbox(w, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Flush()
	return collect(t, NewMboxReader(&b, "m"))
}

func dump(items []Item) string {
	var b strings.Builder
	for _, i := range items {
		if m, ok := i.(*Message); ok {
			fmt.Fprintf(&b, "[%q %v %v]", m.Raw, m.Flags, m.Date)
		}
	}
	return b.String()
}
