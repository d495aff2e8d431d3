package imap

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/wire"
)

const greetingWith = "* OK [CAPABILITY IMAP4rev1 %] ready"

func TestStringsAndLiterals(t *testing.T) {
	long := strings.Repeat("x", maxMinus+1)
	type exchange struct {
		capability string
		do         func(c *Client) error
		server     func(p *peer)
	}
	ctx := background(t)
	add := func(message string) func(c *Client) error {
		return func(c *Client) error {
			_, _, err := c.Append(ctx, "Envoyés", []string{`\Seen`, "$x"}, []byte(message))
			return err
		}
	}
	open := func(mailbox string) func(c *Client) error {
		return func(c *Client) error { _, err := c.Select(ctx, mailbox, false); return err }
	}
	for name, e := range map[string]exchange{
		"quoted": {"X", open(`a"b\c & d`), func(p *peer) {
			p.want(`SELECT "a\"b\\c &- d"`)
		}},
		"LITERAL+": {"LITERAL+", add(long), func(p *peer) {
			p.want(`APPEND "Envoy&AOk-s" (\Seen $x) {4097+}`)
			if got := p.octets(len(long) + 2); got != long+"\r\n" {
				p.t.Errorf("literal of %d octets differs", len(got))
			}
		}},
		"LITERAL-, short": {"LITERAL-", add("abc"), func(p *peer) {
			p.want(`APPEND "Envoy&AOk-s" (\Seen $x) {3+}`)
			p.wantLine("abc")
		}},
		"LITERAL-, long": {"LITERAL-", add(long), func(p *peer) {
			p.want(`APPEND "Envoy&AOk-s" (\Seen $x) {4097}`)
			p.send("* 3 EXISTS", "+ go")
			p.wantLine(long)
		}},
		"synchronising": {"X", add("abc"), func(p *peer) {
			p.want(`APPEND "Envoy&AOk-s" (\Seen $x) {3}`)
			p.send("+")
			p.wantLine("abc")
		}},
		"user with line break": {"X", func(c *Client) error { return c.Login(ctx, "a\r\nb", "pässword") }, func(p *peer) {
			p.want(`LOGIN {4}`)
			p.send("+ go")
			p.wantLine("a")
			p.wantLine("b {9}")
			p.send("+ go")
			p.wantLine("pässword")
			p.send("* CAPABILITY IMAP4rev1")
		}},
		"search": {"X", func(c *Client) error {
			_, err := c.Search(ctx, `UNSEEN SUBJECT "été" FROM "a \" b" OLD`, true)
			return err
		}, func(p *peer) {
			p.want(`UID SEARCH CHARSET UTF-8 UNSEEN SUBJECT {5}`)
			p.send("+ go")
			p.wantLine(`été FROM "a \" b" OLD`)
		}},
		"search with ESEARCH": {"ESEARCH", func(c *Client) error {
			found, err := c.Search(ctx, "ALL", false)
			if !slices.Equal(found, []uint32{1, 2, 3}) {
				t.Errorf("found %v", found)
			}
			return err
		}, func(p *peer) {
			p.want("SEARCH RETURN (ALL) ALL")
			p.send(`* ESEARCH (TAG "` + p.tag + `") ALL 1:3`)
		}},
		"names where both revisions are known": {"IMAP4rev2", open("été"), func(p *peer) {
			p.want(`SELECT "&AOk-t&AOk-"`)
		}},
		"create": {"X", func(c *Client) error { return c.Create(ctx, "Été") }, func(p *peer) {
			p.want(`CREATE "&AMk-t&AOk-"`)
		}},
		"delete": {"X", func(c *Client) error { return c.Delete(ctx, "a b") }, func(p *peer) {
			p.want(`DELETE "a b"`)
		}},
		"copy": {"X", func(c *Client) error { return c.Copy(ctx, "1:9", "Été", true) }, func(p *peer) {
			p.want(`UID COPY 1:9 "&AMk-t&AOk-"`)
		}},
		"store": {"X", func(c *Client) error {
			m, err := c.Store(ctx, "7", "+FLAGS.SILENT", []string{`\Deleted`}, true, 12)
			if len(m) != 1 || m[0].ModSeq != 13 {
				t.Errorf("messages %v", m)
			}
			return err
		}, func(p *peer) {
			p.want(`UID STORE 7 (UNCHANGEDSINCE 12) +FLAGS.SILENT (\Deleted)`)
			p.send("* 3 FETCH (UID 7 MODSEQ (13))")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := connectAfter(t, strings.Replace(greetingWith, "%", e.capability, 1), Options{}, func(p *peer) {
				p.t = t
				e.server(p)
				p.ok()
				p.want("NOOP")
				p.ok()
				p.gone()
			})
			if err := e.do(c); err != nil {
				t.Error(err)
			}
			if err := c.Noop(ctx); err != nil {
				t.Error(err)
			}
			c.Disconnect()
		})
	}
}

func TestALiteralThatIsRefused(t *testing.T) {
	c := connectAfter(t, "* OK [CAPABILITY IMAP4rev1] ready", Options{}, func(p *peer) {
		p.want(`APPEND "a" {3}`)
		p.send(p.tag + " NO [OVERQUOTA] full")
		p.want("NOOP")
		p.ok()
	})
	var refused *Error
	if _, _, err := c.Append(background(t), "a", nil, []byte("abc")); !errors.As(err, &refused) || refused.Class() != "NO OVERQUOTA" {
		t.Errorf("error %v", err)
	}
	if err := c.Noop(background(t)); err != nil {
		t.Error(err)
	}
}

func TestArgumentsThatWouldBeCommandsAreNotSent(t *testing.T) {
	c := connect(t, Options{}, func(p *peer) { p.gone() })
	ctx := background(t)
	fetch := func(set, items string) error { _, err := c.Fetch(ctx, set, items, true); return err }
	search := func(criteria string) error { _, err := c.Search(ctx, criteria, true); return err }
	open := func(mailbox string) error { _, err := c.Select(ctx, mailbox, false); return err }
	flag := func(flag string) error { _, err := c.Store(ctx, "1", "FLAGS", []string{flag}, true, 0); return err }
	for name, err := range map[string]error{
		"set": fetch("1\r\nA9 LOGOUT", "UID"), "items": fetch("1", "UID\n"), "no items": fetch("1", ""),
		"criteria": search("ALL\r\nX"), "open quote": search(`SUBJECT "é`), "naked text": search("SUBJECT é"), "no criteria": search(" "),
		"flag": flag("a b"), "flag's end": flag(")"), "line break": flag("a\r\nb"), "empty": flag(""),
		"mailbox": open(""), "NUL": open("a\x00"),
	} {
		if err == nil || !strings.Contains(err.Error(), "accepted is") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	c.Disconnect()
}

func TestPasswordsStayHidden(t *testing.T) {
	for _, password := range []string{"s3cr3t", "s3cr3té", `s3cr3t"`} {
		address := serve(t, func(p *peer) {
			p.send("* OK [CAPABILITY IMAP4rev1] ready")
			p.line()
			if strings.Contains(password, "é") {
				p.send("+ go")
				p.line()
			}
			p.send("A1 NO [AUTHENTICATIONFAILED] wrong")
		})
		c, err := Dial(background(t), &wire.Dialer{Transcript: true}, address, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Disconnect()
		err = c.Login(background(t), "ama@sante.gouv.tg", password)
		transcript := strings.Join(c.Conn().Transcript(), "\n")
		if err == nil || strings.Contains(err.Error()+transcript, "s3cr3t") || !strings.Contains(transcript, "LOGIN") {
			t.Errorf("error %v, transcript\n%s", err, transcript)
		}
	}
	c := connectAfter(t, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready", Options{}, func(p *peer) { p.gone() })
	if err := c.Login(background(t), "ama@sante.gouv.tg", "s3cr3t"); err == nil {
		t.Error("a password was sent in the clear in spite of LOGINDISABLED")
	}
	c.Disconnect()
}

func TestCapabilities(t *testing.T) {
	ctx := background(t)
	c := connectAfter(t, "* OK hello", Options{}, func(p *peer) {
		p.want("CAPABILITY")
		p.ok("* CAPABILITY IMAP4rev1 auth=plain")
		p.want(`LOGIN "a" "b"`)
		p.send(p.tag + " OK [CAPABILITY IMAP4rev1 IDLE] in")
		p.want(`LOGIN "a" "b"`)
		p.ok()
		p.want("CAPABILITY")
		p.ok("* CAPABILITY IMAP4rev1 MOVE")
		p.want(`LOGIN "a" "b"`)
		p.send(p.tag + " BAD again")
	})
	has := func(want bool, name string) {
		t.Helper()
		if c.Has(name) != want {
			t.Errorf("Has(%q) is %v", name, !want)
		}
	}
	has(true, "AUTH=PLAIN")
	has(false, "AUTH")
	has(false, "IDLE")
	for range 2 {
		if err := c.Login(ctx, "a", "b"); err != nil {
			t.Fatal(err)
		}
		has(false, "AUTH=PLAIN")
	}
	has(true, "move")
	if err := c.Login(ctx, "a", "b"); err == nil {
		t.Error("BAD is no error")
	}
	has(true, "MOVE")
}

func TestTheEndOfAContextEndsTheCommand(t *testing.T) {
	for name, make := range map[string]func() (context.Context, context.CancelFunc){
		"cancelled": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		},
		"deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 20*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, Options{}, func(p *peer) {
				p.want("NOOP")
				p.gone()
			})
			ctx, cancel := make()
			defer cancel()
			err := c.Noop(ctx)
			if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			<-ctx.Done()
			if err := c.Noop(ctx); !errors.Is(err, ctx.Err()) {
				t.Errorf("error %v after the end", err)
			}
			if err := c.Noop(background(t)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("error %v on a closed connection", err)
			}
		})
	}
}

func TestADeadlineDoesNotOutliveItsCommand(t *testing.T) {
	c := connect(t, Options{}, func(p *peer) {
		for range 200 {
			p.want("NOOP")
			p.ok()
		}
	})
	for i := range 200 {
		ctx, cancel := context.WithCancel(background(t))
		if i%2 == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Second)
		}
		if err := c.Noop(ctx); err != nil {
			t.Fatal(i, err)
		}
		cancel()
	}
}

func TestAContextThatEndsTooLateHarmsNobody(t *testing.T) {
	address := serve(t, func(p *peer) {
		p.send(greeting)
		for {
			tag, _, found := strings.Cut(p.line(), " ")
			if !found {
				return
			}
			p.send(tag + " OK done")
		}
	})
	var c *Client
	succeeded := 0
	for i := range 1500 {
		if c == nil {
			var err error
			if c, err = Dial(background(t), &wire.Dialer{}, address, Options{}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			for began := time.Now(); time.Since(began) < time.Duration(i%200)*time.Microsecond; {
				runtime.Gosched()
			}
			cancel()
		}()
		err := c.Noop(ctx)
		switch {
		case err == nil:
			succeeded++
			if err := c.Noop(context.Background()); err != nil {
				t.Fatalf("after a command that succeeded: %v", err)
			}
		case errors.Is(err, context.Canceled):
			c.Disconnect()
			c = nil
		default:
			t.Fatal(err)
		}
		<-ctx.Done()
	}
	if c != nil {
		c.Disconnect()
	}
	if succeeded == 0 {
		t.Error("no command was quicker than the end of its context")
	}
}

func TestServersThatBreakTheProtocol(t *testing.T) {
	for name, script := range map[string]func(p *peer){
		"wrong tag":    func(p *peer) { p.send("B7 OK") },
		"continuation": func(p *peer) { p.send("+ go on") },
		"garbage":      func(p *peer) { p.send("HTTP/1.1 400 Bad Request") },
		"long line":    func(p *peer) { p.send("* OK " + strings.Repeat("x", 70<<10)) },
		"half a line":  func(p *peer) { p.Write([]byte("* OK")) },
		"nothing":      func(p *peer) {},
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, Options{}, func(p *peer) {
				p.want("NOOP")
				script(p)
			})
			err := c.Noop(background(t))
			var refused *Error
			if err == nil || errors.As(err, &refused) {
				t.Errorf("error %v", err)
			}
			if err := c.Noop(background(t)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("error %v afterwards", err)
			}
		})
	}
}

func TestBye(t *testing.T) {
	c := connect(t, Options{}, func(p *peer) {
		p.want("NOOP")
		p.send("* BYE [UNAVAILABLE] restarting")
	})
	var bye *Error
	if err := c.Noop(background(t)); !errors.As(err, &bye) || bye.Class() != "BYE UNAVAILABLE" {
		t.Errorf("error %v", err)
	}
	c = connect(t, Options{}, func(p *peer) {
		p.want("LOGOUT")
		p.ok("* BYE see you")
		p.gone()
	})
	if err := c.Logout(background(t)); err != nil {
		t.Error(err)
	}
	address := serve(t, func(p *peer) { p.send("* BYE [ALERT] too many") })
	if _, err := Dial(background(t), &wire.Dialer{}, address, Options{}); !errors.As(err, &bye) || bye.Class() != "BYE ALERT" {
		t.Errorf("error %v", err)
	}
	address = serve(t, func(p *peer) { p.send("220 smtp.example ESMTP"); p.gone() })
	if _, err := Dial(background(t), &wire.Dialer{}, address, Options{}); err == nil {
		t.Error("an SMTP server passed")
	}
}

func TestSelectTellsOnce(t *testing.T) {
	seen := new(record)
	c := connect(t, Options{Observer: seen}, func(p *peer) {
		p.want(`SELECT "INBOX" (CONDSTORE)`)
		p.send("* 1 EXPUNGE", "* 3 EXISTS", `* FLAGS (\Seen)`, `* OK [PERMANENTFLAGS (\Seen \*)] x`, "* OK [UIDVALIDITY 17] x", "* OK [UIDNEXT 9] x",
			"* OK [HIGHESTMODSEQ 715194045007] x", "* 4 EXISTS", p.tag+" OK [READ-ONLY] in", "* 5 EXISTS")
		p.want("NOOP")
		p.ok(`* FLAGS (\Seen)`, "* 2 EXPUNGE")
	})
	ctx := background(t)
	s, err := c.Select(ctx, "INBOX", true)
	if err != nil || s.Exists != 4 || s.UIDValidity != 17 || s.UIDNext != 10 || s.HighestModSeq != 715194045007 || !s.ReadOnly ||
		!slices.Equal(s.PermanentFlags, []string{`\Seen`, `\*`}) {
		t.Errorf("%+v, %v", s, err)
	}
	if err := c.Noop(ctx); err != nil {
		t.Fatal(err)
	}
	if got := seen.all(); len(got) != 4 || !strings.HasPrefix(got[0], "selected {Exists:4") || !slices.Equal(got[1:], []string{"exists 5", `flags ["\\Seen"]`, "expunge 2"}) {
		t.Errorf("told %q", got)
	}
}

func TestModifiedIsTold(t *testing.T) {
	c := connect(t, Options{}, func(p *peer) {
		p.line()
		p.send("* 1 FETCH (MODSEQ (9) FLAGS (a))", "A1 OK [MODIFIED 7,9] Conditional STORE failed")
	})
	messages, err := c.Store(background(t), "1:9", "+FLAGS", []string{"a"}, false, 3)
	var modified *Error
	if !errors.As(err, &modified) || modified.Class() != "OK MODIFIED" || len(messages) != 1 {
		t.Errorf("%v, %v", messages, err)
	}
}

func TestAppendUID(t *testing.T) {
	for code, want := range map[string][2]uint32{"[APPENDUID 38505 3955] ": {38505, 3955}, "": {}, "[X] ": {}} {
		c := connect(t, Options{}, func(p *peer) {
			p.line()
			p.octets(5)
			p.send("A1 OK " + code + "done")
		})
		validity, uid, err := c.Append(background(t), "x", nil, []byte("abc"))
		if err != nil || validity != want[0] || uid != want[1] {
			t.Errorf("%q: %d %d %v", code, validity, uid, err)
		}
	}
}

func TestAServerThatFlattersIsCutOff(t *testing.T) {
	c := connect(t, Options{}, func(p *peer) {
		p.line()
		p.send("* 1 FETCH (BODY[] {67108864}")
		io.CopyN(p, zero{}, 1<<20) // and no more
	})
	if _, err := c.Fetch(background(t), "1", "BODY.PEEK[]", false); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }
