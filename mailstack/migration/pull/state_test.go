package pull

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/admin"
)

func openTest(t *testing.T, folder string, r *Row) *state {
	t.Helper()
	s, err := openState(folder, "mail.old.tg:993", r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

func newFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "accounts"), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestState writes a state and reads it again, cut at every byte: what was written before is there.
func TestState(t *testing.T) {
	folder, r := newFolder(t), row("afi", afi)
	s := openTest(t, folder, &r)
	b, err := s.box(target{box{name: "INBOX"}, "INBOX"}, 7)
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.Repeat("ab", 32)
	message := func(uid uint32) record {
		return record{Mailbox: "INBOX", UID: uid, SHA256: hash, Size: 5, Date: time.Unix(5, 0).UTC(), Flags: `\seen`, To: uid + 10}
	}
	if err := s.stored(b, []record{message(1), message(2)}); err != nil {
		t.Fatal(err)
	}
	if err := s.stored(b, []record{{Mailbox: "INBOX", UID: 1, To: 11, Checked: time.Unix(9, 0).UTC()}}); err != nil {
		t.Fatal(err)
	}
	if _, err := openState(folder, "mail.old.tg:993", &r); err == nil {
		t.Error("two at once have it open")
	}
	s.close()
	file := stateFile(folder, "mail.old.tg:993", "AFI")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := 0
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(file, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := openTest(t, folder, &r)
		n := 0
		if b := again.boxes["INBOX"]; b != nil {
			n = 1 + len(b.messages)
			if m := b.messages[1]; m != nil && !m.checked.IsZero() {
				n++
			}
		}
		if n < before {
			t.Fatalf("cut at %d: %d things are known, were %d", cut, n, before)
		}
		before = n
		if cut == len(whole) && !reflect.DeepEqual(again.boxes, s.boxes) {
			t.Errorf("found %+v, want %+v", again.boxes["INBOX"], s.boxes["INBOX"])
		}
		again.close()
	}
	if before != 4 {
		t.Errorf("%d things are known at the end", before)
	}
	for name, text := range map[string]string{
		"garbage":         "x\n",
		"another account": strings.ReplaceAll(string(whole), afi, kofi),
		"another source":  strings.ReplaceAll(string(whole), "mail.old.tg", "mail.new.tg"),
		"no mailbox":      string(whole[:strings.Index(string(whole), "\n")+1]) + `{"mailbox":"x","uid":1}` + "\n",
		"hash":            strings.ReplaceAll(string(whole), "abab", "xxxx"),
		"long line":       string(whole) + strings.Repeat("x", maxStateLine+1) + "\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openState(folder, "mail.old.tg:993", &r); err == nil || curable(err) {
			t.Errorf("%s: %v", name, err)
		}
		if text2, _ := os.ReadFile(file); string(text2) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestRetry(t *testing.T) {
	temporary := errors.New("connection reset")
	for name, tt := range map[string]struct {
		errs  []error // in turn, then nil
		moves bool
		calls int
		fails bool
	}{
		"at once":          {nil, false, 1, false},
		"later":            {[]error{temporary, temporary}, false, 3, false},
		"never":            {[]error{temporary, temporary, temporary, temporary, temporary}, false, 3, true},
		"with progress":    {[]error{temporary, temporary, temporary, temporary, temporary}, true, 6, false},
		"login":            {[]error{errLogin}, false, 1, true},
		"refused":          {[]error{&imap.Error{Type: imap.StatusResponseTypeNo}}, false, 1, true},
		"refused for now":  {[]error{&imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeInUse}}, false, 2, false},
		"sent away":        {[]error{&imap.Error{Type: imap.StatusResponseTypeBye}}, false, 2, false},
		"cell refuses":     {[]error{admin.ErrInvalid}, false, 1, true},
		"for good":         {[]error{final("no")}, false, 1, true},
		"sends too much":   {[]error{ErrFlood}, false, 1, true},
		"somebody stopped": {[]error{context.Canceled}, false, 1, true},
	} {
		calls := 0
		err := retry(t.Context(), time.Microsecond, 3, func(moved func()) error {
			calls++
			if tt.moves {
				moved()
			}
			if calls <= len(tt.errs) {
				return tt.errs[calls-1]
			}
			return nil
		})
		if (err != nil) != tt.fails || calls != tt.calls {
			t.Errorf("%s: %v after %d calls, want %d", name, err, calls, tt.calls)
		}
	}
}

// TestConn: a source that sends more than it was asked for is left.
func TestConn(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		for {
			if _, err := server.Write(make([]byte, 100)); err != nil {
				return
			}
		}
	}()
	c := &conn{Conn: client}
	done := c.ask(1000)
	defer done()
	read := 0
	buf := make([]byte, 64)
	for {
		n, err := c.Read(buf)
		read += n
		if err != nil {
			if !errors.Is(err, ErrFlood) || read > 1000 || read < 900 {
				t.Errorf("%v after %d bytes", err, read)
			}
			return
		}
	}
}

func TestBatches(t *testing.T) {
	var list []sized
	for i := range 450 {
		list = append(list, sized{imap.UID(i + 1), 10})
	}
	list = append(list, sized{451, batchBytes * 2}, sized{452, batchBytes - 5}, sized{453, 5}, sized{454, 1})
	var sizes []int
	total := 0
	for b := range batches(list) {
		sizes = append(sizes, len(b))
		total += len(b)
	}
	if want := []int{200, 200, 50, 1, 2, 1}; !reflect.DeepEqual(sizes, want) || total != len(list) {
		t.Errorf("%v, want %v", sizes, want)
	}
	for range batches(list) {
		break
	}
}
