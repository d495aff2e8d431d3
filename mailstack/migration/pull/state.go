package pull

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// record is a line of a state file: the account first, then mailboxes and what became of their messages.
type record struct {
	Source      string `json:"source,omitempty"` // host:port, of the first line
	User        string `json:"user,omitempty"`
	Address     string `json:"address,omitempty"`
	Mailbox     string `json:"mailbox,omitempty"` // of the source
	UIDValidity uint32 `json:"uidValidity,omitempty"`
	Target      string `json:"target,omitempty"` // here

	UID     uint32    `json:"uid,omitempty"` // a message of Mailbox
	SHA256  string    `json:"sha256,omitempty"`
	Size    int64     `json:"size,omitempty"`
	Date    time.Time `json:"date,omitzero"`
	Flags   string    `json:"flags,omitempty"` // separated by spaces
	To      uint32    `json:"to,omitempty"`    // its UID here, as far as it is known
	Checked time.Time `json:"checked,omitzero"`
}

// copied is a message that is here.
type copied struct {
	hash    [sha256.Size]byte
	size    int64
	date    time.Time
	flags   string
	to      uint32    // 0: not known
	checked time.Time // when its bytes here were last read; zero: not yet
}

// boxState is a mailbox of the source, as far as it was copied.
type boxState struct {
	name        string
	uidValidity uint32
	target      string
	messages    map[uint32]*copied // by UID
}

// state is what was done for an account. It is kept in a file, to which lines are only ever added.
type state struct {
	file   *os.File
	boxes  map[string]*boxState
	order  []string // names of boxes
	source string
	row    *Row
}

// stateFile names the file of an account of the source.
func stateFile(folder, source, user string) string {
	hash := sha256.Sum256([]byte(source + "\x00" + strings.ToLower(user)))
	return filepath.Join(folder, "accounts", hex.EncodeToString(hash[:12])+".ndjson")
}

const maxStateLine = 64 << 10

// openState reads what was done, and cuts a line that was not written to its end.
func openState(folder, source string, row *Row) (*state, error) {
	f, err := os.OpenFile(stateFile(folder, source, row.Identity()), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the state: %w", err)
	}
	s := &state{file: f, boxes: make(map[string]*boxState), source: source, row: row}
	if err := s.load(); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot read the state %s: %w", f.Name(), err)
	}
	return s, nil
}

func (s *state) load() error {
	if err := unix.Flock(int(s.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return finalError{fmt.Errorf("another process pulls this account: %w", err)}
	}
	in := bufio.NewReaderSize(s.file, maxStateLine)
	var good int64
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return finalError{fmt.Errorf("line %d: %w", n, err)}
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return finalError{fmt.Errorf("line %d: %w", n, err)}
		}
		if err := s.take(&r, n); err != nil {
			return finalError{fmt.Errorf("line %d: %w", n, err)}
		}
		good += int64(len(line))
	}
	if err := s.file.Truncate(good); err != nil {
		return err
	}
	if _, err := s.file.Seek(good, io.SeekStart); err != nil {
		return err
	}
	if good == 0 {
		return s.add(record{Source: s.source, User: s.row.Identity(), Address: s.row.Address})
	}
	return nil
}

// take applies a line.
func (s *state) take(r *record, n int) error {
	if n == 1 {
		if r.Source != s.source || !strings.EqualFold(r.User, s.row.Identity()) || r.Address != s.row.Address {
			return fmt.Errorf("found %s of %s for %s; accepted is %s of %s for %s", r.User, r.Source, r.Address, s.row.Identity(), s.source, s.row.Address)
		}
		return nil
	}
	b := s.boxes[r.Mailbox]
	switch {
	case r.UID == 0:
		s.begin(r.Mailbox, r.UIDValidity, r.Target)
		return nil
	case b == nil:
		return fmt.Errorf("found UID %d of the mailbox %q; accepted is the mailbox before it", r.UID, r.Mailbox)
	case r.SHA256 == "": // checked
		if m := b.messages[r.UID]; m != nil {
			m.to, m.checked = r.To, r.Checked
		}
		return nil
	}
	m := &copied{size: r.Size, date: r.Date, flags: r.Flags, to: r.To}
	if n, err := hex.Decode(m.hash[:], []byte(r.SHA256)); err != nil || n != len(m.hash) {
		return fmt.Errorf("sha256: found %.80q; accepted are 64 hexadecimal digits", r.SHA256)
	}
	b.messages[r.UID] = m
	return nil
}

func (s *state) begin(name string, uidValidity uint32, to string) *boxState {
	if s.boxes[name] == nil {
		s.order = append(s.order, name)
	}
	b := &boxState{name: name, uidValidity: uidValidity, target: to, messages: make(map[uint32]*copied)}
	s.boxes[name] = b
	return b
}

// box returns the state of a mailbox. One that was copied and is another one now is refused with a boxError: its messages
// would come twice.
func (s *state) box(t target, uidValidity uint32) (*boxState, error) {
	if b := s.boxes[t.name]; b != nil {
		if b.uidValidity != uidValidity {
			return nil, boxError{final("UIDVALIDITY: found %d; accepted is %d, with which it was copied: it is another mailbox now", uidValidity, b.uidValidity)}
		}
		return b, nil
	}
	if err := s.add(record{Mailbox: t.name, UIDValidity: uidValidity, Target: t.to}); err != nil {
		return nil, err
	}
	return s.begin(t.name, uidValidity, t.to), nil
}

// targets are the names here of the mailboxes that were begun.
func (s *state) targets() map[string]string {
	names := make(map[string]string, len(s.boxes))
	for _, b := range s.boxes {
		names[b.name] = b.target
	}
	return names
}

// stored notes messages that are here, durably.
func (s *state) stored(b *boxState, list []record) error {
	if err := s.add(list...); err != nil {
		return err
	}
	for i := range list {
		if err := s.take(&list[i], 2); err != nil {
			return err
		}
	}
	return nil
}

// add writes lines durably.
func (s *state) add(list ...record) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, r := range list {
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("cannot write the state: %w", err)
		}
	}
	_, err := s.file.Write(b.Bytes())
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return finalError{fmt.Errorf("cannot write the state: %w", err)}
	}
	return nil
}

func (s *state) close() error { return s.file.Close() }
