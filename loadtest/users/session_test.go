package users

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/scenario"
)

// playing is an IMAP server without TLS that does what answer says; it hangs up where that returns false.
func playing(t *testing.T, answer func(tag, command string, say func(string)) bool) *Environment {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	serve := func(c net.Conn) {
		defer c.Close()
		say := func(line string) { fmt.Fprint(c, line+"\r\n") }
		say("* OK [CAPABILITY IMAP4rev1 IDLE] ready")
		for lines := bufio.NewScanner(c); lines.Scan(); {
			tag, command, _ := strings.Cut(lines.Text(), " ")
			if !answer(tag, command, say) {
				return
			}
		}
	}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go serve(c)
		}
	}()
	return bare(t, &scenario.Scenario{Name: "scripted", Users: 1, DurationSeconds: 1, TimeoutSeconds: 3,
		Targets: map[string]string{"imap": l.Addr().String()}, Sessions: scenario.Sessions{Share: 1}})
}

// opened is a session of the first user.
func opened(t *testing.T, env *Environment) *session {
	t.Helper()
	s := &session{env: env, steps: newSteps(env, "imap.")}
	if err := s.open(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.drop)
	return s
}

// A connection that dies when the session leaves IDLE at once, because there was news before it rested, is an error.
func TestDeathAfterNews(t *testing.T) {
	env := playing(t, func(tag, command string, say func(string)) bool {
		switch {
		case tag == "DONE":
			return false
		case strings.HasPrefix(command, "SELECT"):
			say("* 0 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 1] x")
		case command == "IDLE":
			say("* 1 EXISTS\r\n+ idling")
			return true
		}
		say(tag + " OK done")
		return true
	})
	desktops := NewDesktops(env)
	desktops.Connect(t.Context(), 0, time.Now())
	for deadline := time.Now().Add(5 * time.Second); desktops.Open() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := env.Recorder.Snapshot().Operations["imap.idle"].Errors; n == 0 {
		t.Error("nobody noticed")
	}
}

// After a refused SELECT nothing is selected: the session is given up.
func TestRefusedSelect(t *testing.T) {
	selects := 0
	env := playing(t, func(tag, command string, say func(string)) bool {
		if strings.HasPrefix(command, "SELECT") {
			if selects++; selects == 2 {
				say(tag + " NO [UNAVAILABLE] try again")
				return true
			}
			say("* 3 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 4] x")
		}
		say(tag + " OK done")
		return true
	})
	err := opened(t, env).act(t.Context(), task{action: scenario.Select, intended: time.Now(), rng: rand.New(rand.NewPCG(1, 2))}, "Sent")
	if !broken(err) {
		t.Errorf("the session goes on after %v", err)
	}
}

// Of messages beyond those whose arrival is remembered, none is taken for older than it is; numbers follow EXPUNGE.
func TestArrivals(t *testing.T) {
	s := &session{}
	for n := range uint32(2 * maxArrivals) {
		s.Exists(n + 1)
	}
	time.Sleep(20 * time.Millisecond)
	now := time.Now()
	s.Exists(2*maxArrivals + 1)
	if at := s.visible(2*maxArrivals+1, now); at.Before(now) {
		t.Errorf("the last message is taken for %s older than it is", now.Sub(at))
	}

	s = &session{exists: 9}
	s.Fetch(&imap.Message{Seq: 9, Sections: map[string][]byte{"BODY[]": nil}})
	s.Expunge(3)
	s.Exists(9) // a new message has the number of the one that was fetched
	if len(s.arrivals) != 1 || s.arrivals[0].seq <= s.fetched {
		t.Errorf("arrivals %v, fetched to %d: the new message would be forgotten", s.arrivals, s.fetched)
	}
}
