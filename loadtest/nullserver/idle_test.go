package nullserver_test

import (
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/loadtest/nullserver"
)

// A message that comes over SMTP, or a flag that somebody else sets, is told to sessions in IDLE at once.
func TestIdle(t *testing.T) {
	o, client := withTLS(nullserver.Options{CondStore: true})
	s := start(t, o)
	exists, changed := make(chan uint32, 100), make(chan struct{}, 100)
	c, err := imapclient.DialTLS(s.Endpoints()["imaps"], &imapclient.Options{TLSConfig: client, UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				exists <- *d.NumMessages
			}
		},
		Fetch: func(m *imapclient.FetchMessageData) {
			if _, err := m.Collect(); err == nil {
				changed <- struct{}{}
			}
		},
	}})
	must(t, err)
	defer c.Close()
	must(t, c.Login("kodjo@x.test", "secret").Wait())
	_, err = c.Select("INBOX", nil).Wait()
	must(t, err)
	idle, err := c.Idle()
	must(t, err)
	for i := range uint32(20) {
		send(t, s.Endpoints()["smtp"], "a@x.test", []string{"Kodjo@x.test"}, letter)
		if n := wait(t, exists); n != i+1 {
			t.Fatalf("EXISTS %d after message %d", n, i+1)
		}
	}
	other := login(t, s, "kodjo@x.test", nil)
	must(t, other.Store(all(), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close())
	for range 20 {
		wait(t, changed)
	}
	must(t, idle.Close())
	must(t, idle.Wait())
	must(t, c.Noop().Wait())
	if n := s.Counts(); n.Pushes == 0 || n.Delivered != 20 || n.Commands["imap.idle"] != 1 || n.Commands["smtp.mail"] != 20 {
		t.Errorf("%+v", n)
	}
}

func wait[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was pushed")
		panic("unreachable")
	}
}
