package nullserver_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/loadtest/nullserver"
)

// Every fault happens every third time, is seen by a client, is counted, and does not happen unasked.
func TestFaults(t *testing.T) {
	whole := &imap.FetchItemBodySection{Peek: true}
	deliver := func(t *testing.T, s *nullserver.Server, n int) {
		c, err := smtp.Dial(s.Endpoints()["smtp"])
		must(t, err)
		defer c.Close()
		for i := range n {
			must(t, c.SendMail("a@x.test", []string{"b@x.test"}, strings.NewReader(fmt.Sprintf("Subject: %d\r\n\r\ntexte\r\n", i))))
		}
	}
	flag := func(t *testing.T, c *imapclient.Client, flags ...imap.Flag) (modseqs []uint64) {
		got, err := c.Store(all(), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: flags}, nil).Collect()
		must(t, err)
		for _, m := range got {
			if !slices.Contains(m.Flags, flags[0]) {
				t.Errorf("STORE answered %v", m.Flags)
			}
			modseqs = append(modseqs, m.ModSeq)
		}
		return modseqs
	}
	seen := map[string]struct {
		faults nullserver.Faults
		count  func(t *testing.T, s *nullserver.Server) int // how often the fault is seen; 2 of at least 6 occasions
	}{
		"FlagLost": {nullserver.Faults{FlagLost: 3}, func(t *testing.T, s *nullserver.Server) (lost int) {
			deliver(t, s, 6)
			c := login(t, s, "b@x.test", nil)
			flag(t, c, imap.FlagFlagged)
			for _, m := range fetch(t, c, all(), &imap.FetchOptions{Flags: true}) {
				if !slices.Contains(m.Flags, imap.FlagFlagged) {
					lost++
				}
			}
			return lost
		}},
		"UIDReused": {nullserver.Faults{UIDReused: 3}, func(t *testing.T, s *nullserver.Server) (reused int) {
			deliver(t, s, 7)
			last := imap.UID(0)
			for _, m := range fetch(t, login(t, s, "b@x.test", nil), all(), &imap.FetchOptions{UID: true}) {
				if m.UID == last {
					reused++
				}
				last = m.UID
			}
			return reused
		}},
		"ByteFlipped": {nullserver.Faults{ByteFlipped: 3}, func(t *testing.T, s *nullserver.Server) (flipped int) {
			deliver(t, s, 6)
			for _, m := range fetch(t, login(t, s, "b@x.test", nil), all(), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{whole}}) {
				text, want := m.FindBodySection(whole), fmt.Appendf(nil, "Subject: %d\r\n\r\ntexte\r\n", m.SeqNum-1)
				if len(text) != len(want) {
					t.Fatalf("%q", text)
				}
				if !bytes.Equal(text, want) {
					flipped++
				}
			}
			return flipped
		}},
		"MessageLost": {nullserver.Faults{MessageLost: 3}, func(t *testing.T, s *nullserver.Server) int {
			deliver(t, s, 6)
			return 6 - len(fetch(t, login(t, s, "b@x.test", nil), all(), &imap.FetchOptions{UID: true}))
		}},
		"MessageDoubled": {nullserver.Faults{MessageDoubled: 3}, func(t *testing.T, s *nullserver.Server) int {
			deliver(t, s, 6)
			return len(fetch(t, login(t, s, "b@x.test", nil), all(), &imap.FetchOptions{UID: true})) - 6
		}},
		"WrongModSeq": {nullserver.Faults{WrongModSeq: 3}, func(t *testing.T, s *nullserver.Server) (wrong int) {
			deliver(t, s, 6)
			c := login(t, s, "b@x.test", nil)
			before := fetch(t, c, all(), &imap.FetchOptions{ModSeq: true})
			for i, modseq := range flag(t, c, imap.FlagSeen) {
				if modseq <= before[i].ModSeq {
					wrong++
				}
			}
			return wrong
		}},
		"ExpungeSilently": {nullserver.Faults{ExpungeSilently: 3}, func(t *testing.T, s *nullserver.Server) int {
			deliver(t, s, 7)
			c := login(t, s, "b@x.test", nil)
			must(t, c.Store(imap.SeqSet{{Start: 1, Stop: 6}}, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close())
			gone, err := c.Expunge().Collect()
			must(t, err)
			if n := len(fetch(t, c, all(), &imap.FetchOptions{UID: true})); n != 1 {
				t.Errorf("%d messages left", n)
			}
			return 6 - len(gone)
		}},
		"EnvelopeChanged": {nullserver.Faults{EnvelopeChanged: 3}, func(t *testing.T, s *nullserver.Server) (changed int) {
			deliver(t, s, 6)
			for _, m := range fetch(t, login(t, s, "b@x.test", nil), all(), &imap.FetchOptions{Envelope: true}) {
				if m.Envelope.Subject != fmt.Sprint(m.SeqNum-1) {
					changed++
				}
			}
			return changed
		}},
	}
	for name, test := range seen {
		t.Run(name, func(t *testing.T) {
			s := start(t, nullserver.Options{Faults: test.faults, CondStore: true, Keep: true})
			if n := test.count(t, s); n != 2 {
				t.Errorf("seen %d times, 2 expected", n)
			}
			if n := s.Counts().Faults; n[name] != 2 || len(n) != 1 {
				t.Errorf("counted: %v", n)
			}
			if n := test.count(t, start(t, nullserver.Options{CondStore: true, Keep: true})); n != 0 {
				t.Errorf("seen %d times without the fault", n)
			}
		})
	}
}

// No reply leaves within a stall.
func TestStall(t *testing.T) {
	const free = 50 * time.Millisecond
	s := start(t, nullserver.Options{Stall: nullserver.Stall{Every: time.Hour, For: time.Hour - free}})
	time.Sleep(free)
	c, err := net.Dial("tcp", s.Endpoints()["smtp"])
	must(t, err)
	defer c.Close()
	must(t, c.SetReadDeadline(time.Now().Add(2*free)))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes and %v within a stall", n, err)
	}
	must(t, s.Close()) // does not wait for the end of the stall
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]nullserver.Options{
		"a stall longer than its period": {Stall: nullserver.Stall{Every: time.Second, For: time.Second}},
		"a stall without a period":       {Stall: nullserver.Stall{For: time.Second}},
		"a negative fault":               {Faults: nullserver.Faults{UIDReused: -1}},
	} {
		if s, err := nullserver.Start(o); err == nil {
			t.Errorf("%s was accepted", name)
			_ = s.Close()
		}
	}
}

// Close ends sessions whatever they wait for, and leaves no goroutine.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	o, client := withTLS(nullserver.Options{Stall: nullserver.Stall{Every: time.Hour, For: time.Hour - 300*time.Millisecond}})
	s, err := nullserver.Start(o)
	must(t, err)
	var sessions []*imapclient.Client
	for range 10 {
		c, err := imapclient.DialTLS(s.Endpoints()["imaps"], &imapclient.Options{TLSConfig: client})
		must(t, err)
		must(t, c.Login("b@x.test", "secret").Wait())
		_, err = c.Select("INBOX", nil).Wait()
		must(t, err)
		_, err = c.Idle()
		must(t, err)
		sessions = append(sessions, c)
	}
	must(t, s.Close())
	must(t, s.Close())
	for _, c := range sessions {
		_ = c.Close()
	}
	for range 500 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("goroutines: %d, then %d\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
}
