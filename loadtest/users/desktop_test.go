package users

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/wire"
)

// After the end nobody would log a session out: none begins.
func TestNoSessionAfterClose(t *testing.T) {
	s, err := nullserver.Start(nullserver.Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := NewDesktops(alone(t, s))
	d.Connect(t.Context(), 0, time.Now())
	if d.list[0].state != idle {
		t.Fatalf("state %d", d.list[0].state)
	}
	d.Close(t.Context())
	d.Connect(t.Context(), 0, time.Now())
	if d.list[0].state != down {
		t.Errorf("state %d after the end", d.list[0].state)
	}
}

// Each session of a shared mailbox is told of a message, and each counts.
func TestSharedMailbox(t *testing.T) {
	s, err := nullserver.Start(nullserver.Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	scene := &scenario.Scenario{Users: 2, TimeoutSeconds: 5, Sessions: scenario.Sessions{Share: 1},
		Targets: map[string]string{"imap": s.Endpoints()["imap"], "smtp": s.Endpoints()["smtp"]}}
	env := bare(t, scene)
	d := NewDesktops(env)
	for user := range 2 {
		d.Connect(t.Context(), user, time.Now())
	}
	sender := newSender(env, &scenario.Stream{MessagesPerConnection: 1}, senderMX)
	sender.Perform(t.Context(), 0, time.Now(), rand.New(rand.NewPCG(1, 2)))
	for count := int64(0); count < 2; time.Sleep(time.Millisecond) {
		if o := env.Recorder.Snapshot().Operations["e2e.deliver"]; o != nil {
			count = o.Count
		}
	}
	d.Close(t.Context())
}

// Whoever asks a busy session for something waits until it is done, or cannot be any more.
func TestPerformWaits(t *testing.T) {
	s, err := nullserver.Start(nullserver.Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, end := range map[string]func(*Desktops){
		"done":   func(d *Desktops) { d.wake(t.Context(), 0) },
		"failed": func(d *Desktops) { d.fail(t.Context(), 0) },
	} {
		d := NewDesktops(alone(t, s))
		d.Connect(t.Context(), 0, time.Now())
		desk := &d.list[0]
		desk.mu.Lock()
		desk.state = busy
		desk.mu.Unlock()
		returned := make(chan struct{})
		go func() {
			d.perform(t.Context(), 0, task{action: scenario.Noop, intended: time.Now()})
			close(returned)
		}()
		for waiting := 0; waiting == 0; time.Sleep(time.Millisecond) {
			desk.mu.Lock()
			waiting = len(desk.tasks)
			desk.mu.Unlock()
		}
		select {
		case <-returned:
			t.Errorf("%s: it did not wait", name)
		default:
		}
		end(d)
		<-returned
		d.Close(t.Context())
		if o := d.env.Recorder.Snapshot().Operations["imap.noop"]; o.Count+o.Errors != 1 || (o.Errors == 1) != (name == "failed") {
			t.Errorf("%s: %d done, %d failed", name, o.Count, o.Errors)
		}
	}
}

// A session that was busy when the others were logged out does not go back to IDLE.
func TestBusyAtClose(t *testing.T) {
	s, err := nullserver.Start(nullserver.Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := NewDesktops(alone(t, s))
	d.Connect(t.Context(), 0, time.Now())
	d.list[0].mu.Lock()
	d.list[0].state = busy
	d.list[0].mu.Unlock()
	d.Close(t.Context())
	d.wake(t.Context(), 0)
	if d.list[0].state != down || d.list[0].session != nil || d.Open() != 0 {
		t.Errorf("state %d, %d open", d.list[0].state, d.Open())
	}
}

// A message that is told of while others are fetched, too late for their answer, is fetched next. One that is never shown
// is not asked for again and again.
func TestToldWhileFetching(t *testing.T) {
	const shown = "* %d FETCH (UID %d FLAGS () BODY[HEADER.FIELDS (X-LOAD-TOKEN)] {2}\r\n\r\n)"
	fetches := 0
	env := playing(t, func(tag, command string, say func(string)) bool {
		switch {
		case strings.HasPrefix(command, "SELECT"):
			say("* 1 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 2] x")
		case strings.HasPrefix(command, "UID FETCH"):
			switch fetches++; fetches {
			case 1:
				say(fmt.Sprintf(shown, 2, 2) + "\r\n* 3 EXISTS")
			case 2:
				say(fmt.Sprintf(shown, 3, 3) + "\r\n* 4 EXISTS")
			default:
				say(fmt.Sprintf(shown, 3, 3)) // the last one below n:*
			}
		}
		say(tag + " OK done")
		return true
	})
	s := opened(t, env)
	s.Exists(2)
	for n, news := range []bool{true, true, false} {
		if !s.news() {
			t.Fatalf("fetch %d: nothing is known to be new", n+1)
		}
		if err := s.collect(t.Context(), s.arrivals[0].at, nil); err != nil {
			t.Fatal(err)
		}
		if s.news() != news {
			t.Errorf("fetch %d: news: %v; want %v", n+1, s.news(), news)
		}
	}
	if s.next != 4 {
		t.Errorf("next UID %d", s.next)
	}
}

// A connection that lay unused for long is not used again.
func TestStaleConnection(t *testing.T) {
	server, err := nullserver.Start(nullserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	env := alone(t, server)
	s := newSender(env, &scenario.Stream{MessagesPerConnection: 10}, senderMX)
	defer s.Close(context.WithoutCancel(t.Context()))
	dial := func() *keptConnection {
		client, err := smtp.Dial(t.Context(), &wire.Dialer{Timeout: time.Second}, server.Endpoints()["smtp"], smtp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return &keptConnection{client: client}
	}
	old, fresh := dial(), dial()
	s.put(t.Context(), 0, old)
	if c, err := s.take(t.Context(), 0, time.Now()); err != nil || c != old {
		t.Fatalf("a connection just used is not used again: %v", err)
	}
	s.put(t.Context(), 0, old)
	old.since = old.since.Add(-2 * maxKept)
	c, err := s.take(t.Context(), 0, time.Now())
	if err != nil || c == old {
		t.Fatalf("a stale connection was used: %v", err)
	}
	c.client.Close()
	s.put(t.Context(), 0, fresh)
	if len(s.kept[0]) != 1 || s.kept[0][0] != fresh {
		t.Errorf("%d connections are kept", len(s.kept[0]))
	}
}
