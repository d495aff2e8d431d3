package imap

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/wire"
)

// memory starts go-imap's server with TLS. It returns the address, a dialer that trusts it, and that of its user's mailboxes.
func memory(t *testing.T, implicit bool, capabilities ...goimap.Cap) (string, *wire.Dialer, *imapmemserver.User) {
	t.Helper()
	users := imapmemserver.New()
	user := imapmemserver.NewUser("ama", `p"w`)
	users.AddUser(user)
	for _, name := range []string{"INBOX", "Envoyés", "A&B"} {
		if err := user.Create(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	known := goimap.CapSet{goimap.CapIMAP4rev1: {}}
	for _, c := range capabilities {
		known[c] = struct{}{}
	}
	certificate, pool := nullserver.SelfSigned()
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return users.NewSession(), nil, nil
		},
		Caps: known, TLSConfig: certificate, Logger: log.New(io.Discard, "", 0),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if implicit {
		l = tls.NewListener(l, certificate)
	}
	done := make(chan struct{})
	go func() { server.Serve(l); close(done) }()
	t.Cleanup(func() { server.Close(); <-done })
	return l.Addr().String(), &wire.Dialer{TLS: &tls.Config{RootCAs: pool}}, user
}

// ours logs in with the client under test.
func ours(t *testing.T, address string, d *wire.Dialer, o Options) *Client {
	t.Helper()
	c, err := Dial(background(t), d, address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Disconnect() })
	if !c.Conn().TLS() {
		t.Error("no TLS")
	}
	if err := c.Login(background(t), "ama", `p"w`); err != nil {
		t.Fatal(err)
	}
	return c
}

// theirs logs in with go-imap's client.
func theirs(t *testing.T, address string, d *wire.Dialer) *imapclient.Client {
	t.Helper()
	config := d.TLS.Clone()
	config.ServerName = "127.0.0.1"
	c, err := imapclient.DialTLS(address, &imapclient.Options{TLSConfig: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Login("ama", `p"w`).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

var everything = []goimap.Cap{goimap.CapUIDPlus, goimap.CapESearch, goimap.CapMove, goimap.CapStatusSize, goimap.CapLiteralPlus}

func TestSecurityAndRefusals(t *testing.T) {
	for security, implicit := range map[Security]bool{StartTLS: false, ImplicitTLS: true} {
		address, d, _ := memory(t, implicit, everything...)
		c := ours(t, address, d, Options{Security: security})
		if _, err := c.Select(background(t), "nowhere", false); err == nil || err.(*Error).Class() != "NO NONEXISTENT" {
			t.Errorf("error %v", err)
		}
		if err := c.Login(background(t), "ama", "x"); err == nil {
			t.Error("logged in twice")
		}
		if err := c.Noop(background(t)); err != nil {
			t.Error(err)
		}
		if err := c.Logout(background(t)); err != nil {
			t.Error(err)
		}
	}
	address, d, _ := memory(t, false)
	if _, err := Dial(background(t), &wire.Dialer{}, address, Options{Security: StartTLS}); err == nil {
		t.Error("STARTTLS without a configuration")
	}
	c, err := Dial(background(t), d, address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect()
	for _, greeting := range []string{greeting, "* OK hello"} { // the capabilities are asked for where the greeting has none
		plain := serve(t, func(p *peer) {
			p.send(greeting)
			p.tag, _, _ = strings.Cut(p.line(), " ")
			p.ok("* CAPABILITY IMAP4rev1 IDLE")
		})
		if _, err := Dial(background(t), d, plain, Options{Security: StartTLS}); err != ErrNoStartTLS {
			t.Errorf("a server without STARTTLS: error %v", err)
		}
	}
	if err := c.Login(background(t), "ama", `p"w`); err == nil {
		t.Error("logged in without TLS in spite of LOGINDISABLED")
	}
}

func TestEveryCommandAgainstMemory(t *testing.T) {
	for name, capabilities := range map[string][]goimap.Cap{"everything": everything, "rev1 alone": nil} {
		t.Run(name, func(t *testing.T) {
			address, d, _ := memory(t, true, capabilities...)
			seen := new(record)
			c := ours(t, address, d, Options{Security: ImplicitTLS, Observer: seen})
			ctx := background(t)
			check := func(what string, err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			names, err := c.List(ctx, "*")
			check("list", err)
			slices.Sort(names)
			if want := []string{"A&B", "Envoyés", "INBOX"}; !slices.Equal(names, want) {
				t.Errorf("list %q, want %q", names, want)
			}
			for i := range 4 {
				_, uid, err := c.Append(ctx, "INBOX", []string{`\Seen`}, fmt.Appendf(nil, "Subject: n%d\r\n\r\n%s", i, strings.Repeat("x", 5000*i)))
				check("append", err)
				if want := uint32(i + 1); uid != want && capabilities != nil {
					t.Errorf("append gave UID %d, want %d", uid, want)
				}
			}
			s, err := c.Select(ctx, "INBOX", true)
			check("select", err)
			if s.Exists != 4 || s.UIDNext != 5 || s.UIDValidity == 0 || len(s.Flags) == 0 {
				t.Errorf("selected %+v", s)
			}
			status, err := c.Status(ctx, "INBOX", "MESSAGES", "UIDNEXT", "UNSEEN")
			check("status", err)
			if status["MESSAGES"] != 4 || status["UIDNEXT"] != 5 || status["UNSEEN"] != 0 {
				t.Errorf("status %v", status)
			}
			messages, err := c.Fetch(ctx, "4", "(UID FLAGS BODY.PEEK[] BODY.PEEK[HEADER.FIELDS (Subject)])", false)
			check("fetch", err)
			if m := messages[0]; m.UID != 4 || len(m.Sections["BODY[]"]) != 15015 || string(m.Sections["BODY[HEADER.FIELDS (SUBJECT)]"]) != "Subject: n3\r\n\r\n" {
				t.Errorf("fetched %d, %d octets, %q", m.UID, len(m.Sections["BODY[]"]), m.Sections["BODY[HEADER.FIELDS (SUBJECT)]"])
			}
			messages, err = c.Store(ctx, "2:3", "+FLAGS", []string{`\Deleted`, "$x"}, true, 0)
			check("store", err)
			if len(messages) != 2 || !slices.Contains(messages[0].Flags, "$x") {
				t.Errorf("stored %v", messages)
			}
			found, err := c.Search(ctx, `DELETED SUBJECT "n"`, true)
			check("search", err)
			if !slices.Equal(found, []uint32{2, 3}) {
				t.Errorf("found %v", found)
			}
			_, err = c.Search(ctx, `SUBJECT "é"`, true)
			check("search UTF-8", err)
			if capabilities != nil {
				check("uid expunge", c.UIDExpunge(ctx, "3"))
			}
			_, err = c.Store(ctx, "4", "+FLAGS.SILENT", []string{`\Deleted`}, true, 0)
			check("store silently", err)
			check("expunge", c.begin(ctx, "EXPUNGE").end())
			_, err = c.Select(ctx, "Envoyés", false)
			check("select", err)
			s, err = c.Select(ctx, "INBOX", false)
			check("select", err)
			if s.Exists != 1 {
				t.Errorf("%d messages left, want 1", s.Exists)
			}
			expunged := 0
			for _, line := range seen.all() {
				if strings.HasPrefix(line, "expunge") {
					expunged++
				}
			}
			if expunged != 3 {
				t.Errorf("%d expunges told, want 3: %q", expunged, seen.all())
			}
			_, err = c.Capability(ctx)
			check("capability", err)
			check("logout", c.Logout(ctx))
		})
	}
}

// sample makes messages that need quoting, literals and groups in their envelopes.
func sample(rng *rand.Rand) []byte {
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\r\n", pick("ama@sante.gouv.tg", `"A \"q\" B" <a.b@x.tg>`, "=?utf-8?q?=C3=89?= <e@x.tg>", "a@x, b@y"))
	fmt.Fprintf(&b, "To: %s\r\n", pick("all: a@x, b@y;", "undisclosed:;", "x@y", "(comment) x@y"))
	fmt.Fprintf(&b, "Subject: %s\r\n", pick("", "plain", `back\slash "quoted"`, "(parens) {5}", "=?utf-8?q?=C3=A9t=C3=A9?=", "NIL"))
	if rng.IntN(2) == 0 {
		b.WriteString("Message-ID: <" + pick("a", "b") + "@x>\r\nIn-Reply-To: <c@x>\r\nDate: Wed, 17 Jul 1996 02:23:25 -0700\r\n")
	}
	b.WriteString("\r\n" + strings.Repeat(pick("é", "x\r\n", ")", "\x00"), rng.IntN(3000)))
	return []byte(b.String())
}

func TestBothClientsSeeTheSame(t *testing.T) {
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 0))
		address, d, user := memory(t, true, everything...)
		for range 40 {
			if _, err := user.Append("INBOX", literal{strings.NewReader(string(sample(rng)))}, &goimap.AppendOptions{Flags: []goimap.Flag{goimap.FlagSeen, "$k"}[:rng.IntN(3)]}); err != nil {
				t.Fatal(err)
			}
		}
		c, other := ours(t, address, d, Options{Security: ImplicitTLS}), theirs(t, address, d)
		ctx := background(t)
		s, err := c.Select(ctx, "INBOX", false)
		if err != nil {
			t.Fatal(err)
		}
		o, err := other.Select("INBOX", nil).Wait()
		if err != nil {
			t.Fatal(err)
		}
		if s.Exists != o.NumMessages || s.UIDNext != uint32(o.UIDNext) || s.UIDValidity != o.UIDValidity || sorted(s.Flags) != sorted(o.Flags) {
			t.Errorf("selected %+v, other %+v", s, o)
		}
		if _, err := c.Store(ctx, "2:9", "+FLAGS", []string{`\Flagged`, "été"}, true, 0); err == nil {
			t.Error("a flag that is not ASCII was sent")
		}
		for range 20 {
			set := fmt.Sprintf("%d:%d", 1+rng.IntN(40), 1+rng.IntN(40))
			if _, err := c.Store(ctx, set, []string{"+FLAGS", "-FLAGS", "FLAGS"}[rng.IntN(3)], []string{`\Flagged`, "$k"}[:1+rng.IntN(2)], true, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := other.Noop().Wait(); err != nil {
			t.Fatal(err)
		}
		mine, err := c.Fetch(ctx, "1:*", "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[TEXT]<3.9>)", true)
		if err != nil {
			t.Fatal(err)
		}
		section := &goimap.FetchItemBodySection{Peek: true}
		partial := &goimap.FetchItemBodySection{Peek: true, Specifier: goimap.PartSpecifierText, Partial: &goimap.SectionPartial{Offset: 3, Size: 9}}
		their, err := other.Fetch(goimap.UIDSet{{Start: 1}}, &goimap.FetchOptions{
			UID: true, Flags: true, RFC822Size: true, InternalDate: true, Envelope: true, BodySection: []*goimap.FetchItemBodySection{section, partial},
		}).Collect()
		if err != nil || len(mine) != len(their) {
			t.Fatalf("%d messages, other %d: %v", len(mine), len(their), err)
		}
		for i, m := range mine {
			compare(t, m, their[i], section, partial)
		}
		for _, criteria := range []*goimap.SearchCriteria{{}, {Flag: []goimap.Flag{goimap.FlagFlagged}}, {Larger: 1000}} {
			found, err := c.Search(ctx, map[bool]string{true: "LARGER 1000", false: map[bool]string{true: "FLAGGED", false: "ALL"}[len(criteria.Flag) > 0]}[criteria.Larger > 0], true)
			if err != nil {
				t.Fatal(err)
			}
			data, err := other.UIDSearch(criteria, nil).Wait()
			if err != nil || fmt.Sprint(found) != fmt.Sprint(data.AllUIDs()) {
				t.Errorf("found %v, other %v, %v", found, data.AllUIDs(), err)
			}
		}
	}
}

func compare(t *testing.T, m *Message, o *imapclient.FetchMessageBuffer, section, partial *goimap.FetchItemBodySection) {
	t.Helper()
	if m.Seq != o.SeqNum || m.UID != uint32(o.UID) || m.Size != o.RFC822Size || !m.InternalDate.Equal(o.InternalDate) || sorted(m.Flags) != sorted(o.Flags) {
		t.Errorf("%+v, other %+v", m, o)
	}
	if got, want := m.Sections["BODY[]"], o.FindBodySection(section); string(got) != string(want) || len(got) != int(m.Size) {
		t.Errorf("message %d: the bodies differ: %d and %d octets", m.Seq, len(got), len(want))
	}
	if got, want := m.Sections["BODY[TEXT]<3>"], o.FindBodySection(partial); string(got) != string(want) {
		t.Errorf("message %d: text %q, other %q", m.Seq, got, want)
	}
	e, w := m.Envelope, o.Envelope
	if e.MessageID != "" && e.MessageID != "<"+w.MessageID+">" || len(e.From) != len(w.From) || len(e.To) != len(w.To) || len(m.Raw) == 0 {
		t.Errorf("envelope %+v, other %+v", e, w)
	}
	for i, a := range e.To {
		if a.Mailbox != w.To[i].Mailbox || a.Host != w.To[i].Host {
			t.Errorf("recipient %+v, other %+v", a, w.To[i])
		}
	}
	if !strings.Contains(e.Subject, "=?") && e.Subject != w.Subject {
		t.Errorf("subject %q, other %q", e.Subject, w.Subject)
	}
}

// sorted makes flags comparable whatever their type and order.
func sorted[F ~string](flags []F) string {
	lower := make([]string, 0, len(flags))
	for _, f := range flags {
		lower = append(lower, strings.ToLower(string(f)))
	}
	slices.Sort(lower)
	return strings.Join(lower, " ")
}

type literal struct{ *strings.Reader }
