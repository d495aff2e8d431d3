package imap

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/mailstack/store"
)

const hello = "From: Kossi <kossi.agbeko@sante.gouv.tg>\nTo: afi.mensah@finances.gouv.tg\nSubject: Hello\n" +
	"Date: Mon, 02 Nov 2026 09:00:00 +0000\nMessage-ID: <1@sante.gouv.tg>\n\nBody of the message.\n"

func TestClientSession(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	exists := make(chan uint32, 10)
	c := imapclient.New(b.conn(owner), &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				exists <- *d.NumMessages
			}
		},
	}})
	defer c.Close()
	selected, err := c.Select("inbox", nil).Wait()
	if err != nil || selected.NumMessages != 1 || selected.UIDNext != 2 {
		t.Fatalf("select: %+v, %v", selected, err)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	messages, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{
		Envelope: true, Flags: true, UID: true, RFC822Size: true, InternalDate: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, BodySection: []*imap.FetchItemBodySection{section},
	}).Collect()
	if err != nil || len(messages) != 1 {
		t.Fatalf("fetch: %v, %v", messages, err)
	}
	m := messages[0]
	want := strings.ReplaceAll(hello, "\n", "\r\n")
	if string(m.FindBodySection(section)) != want || m.RFC822Size != int64(len(want)) || m.Envelope.Subject != "Hello" ||
		m.BodyStructure.MediaType() != "text/plain" || !slices.Equal(m.Flags, []imap.Flag{`\Recent`}) || m.UID != 1 {
		t.Errorf("fetched %+v", m)
	}

	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	b.deliver(hello)
	select {
	case n := <-exists:
		if n != 2 {
			t.Errorf("IDLE told of %d messages, want 2", n)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("IDLE did not tell of a delivery")
	}
	if err := idle.Close(); err != nil {
		t.Fatal(err)
	}
	if err := idle.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Move(imap.SeqSetNum(1, 2), "Archive").Wait(); err != nil {
		t.Fatal(err)
	}
	status, err := c.Status("Archive", &imap.StatusOptions{NumMessages: true, NumUnseen: true, Size: true}).Wait()
	if err != nil || *status.NumMessages != 2 || *status.NumUnseen != 2 || *status.Size != int64(2*len(want)) {
		t.Errorf("status: %+v, %v", status, err)
	}
	if err := c.Logout().Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestSelect(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	c := b.text()
	got := strings.Join(c.ok("SELECT INBOX"), "\n")
	for _, want := range []string{
		"1 EXISTS", "OK [UIDVALIDITY ", "OK [UIDNEXT 2]", "OK [UNSEEN 1]",
		`FLAGS (` + systemFlags + `)`, `OK [PERMANENTFLAGS (` + systemFlags + ` \*)]`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("SELECT lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "LIST") {
		t.Error("SELECT gives LIST to a client of IMAP4rev1")
	}
	c.refused("SELECT Nowhere", "NO [NONEXISTENT]")
	c.refused("FETCH 1 FLAGS", "BAD")
	c.ok("ENABLE IMAP4rev2")
	if got := strings.Join(c.ok("SELECT INBOX"), "\n"); !strings.Contains(got, `LIST () "/" INBOX`) {
		t.Errorf("SELECT of IMAP4rev2 lacks LIST:\n%s", got)
	}
}

// What SELECT tells is of one moment: with a UIDNEXT beyond mail that it does not count, a client would not look for that mail.
func TestSelectWhileMailArrives(t *testing.T) {
	b := newBed(t, 0)
	const mails = 400
	account := b.account(owner).ID
	arrived := make(chan error, 1)
	go func() {
		for range mails {
			if _, err := b.store.Deliver(t.Context(), store.Delivery{
				Raw: []byte(hello), InternalDate: time.Now(), Local: []store.Recipient{{Account: account}},
			}); err != nil {
				arrived <- err
				return
			}
		}
		arrived <- nil
	}()
	c := b.text()
	for done := false; !done; {
		select {
		case err := <-arrived:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
		var exists, next int
		for _, line := range c.ok("SELECT INBOX") {
			if n, counts := strings.CutSuffix(line, " EXISTS"); counts {
				exists, _ = strconv.Atoi(n)
			}
			fmt.Sscanf(line, "OK [UIDNEXT %d]", &next)
		}
		if next != exists+1 || done && exists != mails {
			t.Fatalf("EXISTS %d, UIDNEXT %d", exists, next)
		}
	}
}

func TestFlags(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	b.deliver(hello)
	one, two := b.text("SELECT INBOX"), b.text("SELECT INBOX")
	one.want(`STORE 1 +FLAGS (\Flagged)`, `1 FETCH (FLAGS (\Flagged))`)
	one.want(`STORE 1 +FLAGS.SILENT (\Answered)`)
	two.want("NOOP", `1 FETCH (FLAGS (\Answered \Flagged))`)
	two.want("NOOP")
	// The other session's change is not known yet: the silent STORE has to tell of it.
	two.want(`UID STORE 2 FLAGS.SILENT (\Draft)`)
	one.want(`UID STORE 2 +FLAGS.SILENT (\Seen)`, `2 FETCH (UID 2 FLAGS (\Seen \Draft))`)
	one.want(`STORE 2 -FLAGS (\Draft)`, `2 FETCH (FLAGS (\Seen))`)
	one.want(`STORE 2 +FLAGS ($Work)`, `2 FETCH (FLAGS (\Seen $Work))`,
		`FLAGS (`+systemFlags+` $Work)`)
	one.refused(`STORE 1 FLAGS (\Unknown)`, "NO [CANNOT]")
	one.refused(`STORE 9 +FLAGS (\Seen)`, "BAD")
}

func TestSeenByFetch(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	body := strings.ReplaceAll(hello[strings.Index(hello, "\n\n")+2:], "\n", "\r\n")
	c := b.text("EXAMINE INBOX")
	c.want("FETCH 1 BODY[TEXT]", "1 FETCH (BODY[TEXT] "+body+")")
	c.ok("SELECT INBOX")
	c.want("FETCH 1 (FLAGS BODY.PEEK[TEXT])", "1 FETCH (FLAGS () BODY[TEXT] "+body+")")
	c.want("FETCH 1 RFC822.TEXT", `1 FETCH (RFC822.TEXT `+body+` FLAGS (\Seen))`)
	c.want("NOOP")
}

func TestExpunge(t *testing.T) {
	b := newBed(t, 0)
	for range 4 {
		b.deliver(hello)
	}
	one, two := b.text("SELECT INBOX"), b.text("SELECT INBOX")
	one.ok(`STORE 2,4 +FLAGS.SILENT (\Deleted)`)
	two.ok("NOOP")
	one.want("UID EXPUNGE 4,9", "4 EXPUNGE")
	one.want("EXPUNGE", "2 EXPUNGE")
	one.want("UID SEARCH ALL", "SEARCH 1 3")
	// Sequence numbers hold until an EXPUNGE may be sent (RFC 9051, 7.5.1).
	two.want("FETCH 3 UID", "3 FETCH (UID 3)")
	two.want("SEARCH ALL", "SEARCH 1 3")
	two.want("FETCH 2 (UID FLAGS)", `2 FETCH (UID 2 FLAGS (\Deleted))`) // and so do the messages (RFC 2180, 4.1.1)
	if got, status := two.do("COPY 2:3 Archive"); !strings.HasPrefix(status, "NO [EXPUNGEISSUED]") || !slices.Equal(got, []string{"4 EXPUNGE", "2 EXPUNGE"}) {
		t.Errorf("%q %q", got, status)
	}
	two.want("FETCH 2 UID", "2 FETCH (UID 3)")
	b.deliver(hello)
	two.want("FETCH 1 UID", "1 FETCH (UID 1)", "3 EXISTS")
	two.want("FETCH 3 UID", "3 FETCH (UID 5)") // UIDs are never reused
}

func TestReadOnlyAndClose(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	c := b.text("SELECT INBOX", `STORE 1 +FLAGS (\Deleted)`, "EXAMINE INBOX")
	c.refused(`STORE 1 FLAGS ()`, "NO")
	c.refused("EXPUNGE", "NO")
	c.refused("MOVE 1 Trash", "NO")
	c.want("CLOSE")
	c.ok("SELECT INBOX")
	c.want("SEARCH DELETED", "SEARCH 1")
	c.want("CLOSE")
	c.ok("SELECT INBOX")
	c.want("SEARCH ALL", "SEARCH")
}

func TestCopyAndMove(t *testing.T) {
	b := newBed(t, 0)
	for range 3 {
		b.deliver(hello)
	}
	c := b.text("SELECT INBOX", `STORE 1 FLAGS.SILENT (\Seen $Work)`)
	if _, status := c.do("COPY 1:2 Archive"); !strings.HasPrefix(status, "OK [COPYUID ") || !strings.Contains(status, " 1:2 1:2]") {
		t.Error(status)
	}
	c.refused("COPY 1 Nowhere", "NO [TRYCREATE]")
	c.refused("UID MOVE 1 Nowhere", "NO [TRYCREATE]")
	got := c.ok("UID MOVE 1,3 Archive")
	if len(got) != 3 || !strings.Contains(got[0], " 1,3 3:4]") || got[1] != "3 EXPUNGE" || got[2] != "1 EXPUNGE" {
		t.Errorf("MOVE: %q", got)
	}
	c.refused("COPY 7 Archive", "BAD")
	c.ok("SELECT Archive")
	c.want("FETCH 1,3 FLAGS", `1 FETCH (FLAGS (\Seen $Work))`, `3 FETCH (FLAGS (\Seen $Work))`)
	c.want("STATUS INBOX (MESSAGES UIDNEXT DELETED DELETED-STORAGE RECENT)",
		"STATUS INBOX (MESSAGES 1 RECENT 0 UIDNEXT 4 DELETED 0 DELETED-STORAGE 0)")
}

func TestAppend(t *testing.T) {
	b := newBed(t, 2000)
	c := b.text("SELECT Sent")
	if status := c.append("Sent", `(\Seen) "02-Nov-2026 10:00:00 +0100" `, hello); !strings.HasPrefix(status, "OK [APPENDUID ") {
		t.Error(status)
	}
	c.want("FETCH 1 (FLAGS INTERNALDATE)", `1 FETCH (FLAGS (\Seen) INTERNALDATE " 2-Nov-2026 10:00:00 +0100")`)
	for _, test := range []struct{ name, mailbox, options, raw, want string }{
		{"no mailbox", "Nowhere", "", hello, "NO [TRYCREATE]"},
		{"flag", "Sent", `(\What) `, hello, "NO [CANNOT]"},
		{"empty", "Sent", "", "", "NO [CANNOT]"},
		{"over quota", "Sent", "", hello + strings.Repeat("x", 2000), "NO [OVERQUOTA]"},
		{"too big", "Sent", "", strings.Repeat("x", 1<<20+1), "NO [TOOBIG]"},
	} {
		if status := c.append(test.mailbox, test.options, test.raw); !strings.HasPrefix(status, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, status, test.want)
		}
	}
	c.want("NOOP")
}

func TestMailboxes(t *testing.T) {
	b := newBed(t, 0)
	c := b.text()
	c.want(`LIST "" ""`, `LIST (\Noselect) "/" ""`)
	c.want(`LIST "" *`, `LIST (\HasNoChildren) "/" INBOX`, `LIST (\HasNoChildren \Archive) "/" Archive`,
		`LIST (\HasNoChildren \Drafts) "/" Drafts`, `LIST (\HasNoChildren \Junk) "/" Junk`,
		`LIST (\HasNoChildren \Sent) "/" Sent`, `LIST (\HasNoChildren \Trash) "/" Trash`)
	c.ok("CREATE Projets/2026/Budget/")
	c.ok("CREATE \"Courrier &AOk-t&AOk-\"")
	c.want(`LIST "" "c*"`)
	c.want(`LIST "" "C*"`, `LIST (\HasNoChildren) "/" "Courrier &AOk-t&AOk-"`)
	c.want(`LIST Projets %`, `LIST (\HasChildren) "/" Projets/2026`)
	c.want(`LIST "" (inbox Projets)`, `LIST (\HasNoChildren) "/" INBOX`, `LIST (\HasChildren) "/" Projets`)
	c.ok("SUBSCRIBE Projets/2026/Budget")
	c.want(`LIST (SUBSCRIBED RECURSIVEMATCH) "" P%`, `LIST (\HasChildren) "/" Projets ("CHILDINFO" ("SUBSCRIBED"))`)
	c.want(`LSUB "" P*`, `LSUB () "/" Projets/2026/Budget`)
	c.want(`LIST (SPECIAL-USE) "" T* RETURN (SUBSCRIBED STATUS (MESSAGES))`,
		`LIST (\Subscribed \HasNoChildren \Trash) "/" Trash`, `STATUS Trash (MESSAGES 0)`)
	c.ok("UNSUBSCRIBE Projets/2026/Budget")
	c.ok("UNSUBSCRIBE Nowhere")
	c.ok("RENAME Projets Dossiers")
	c.want(`LIST "" Dossiers/*`, `LIST (\HasChildren) "/" Dossiers/2026`, `LIST (\HasNoChildren) "/" Dossiers/2026/Budget`)
	c.ok("DELETE Dossiers/2026/Budget")
	c.ok("DELETE Archive")
	c.ok(`CREATE Archives (USE (\archive))`)
	c.want(`LIST "" A*`, `LIST (\HasNoChildren \Archive) "/" Archives`)
	c.want("NAMESPACE", `NAMESPACE (("" "/")) (("Other Users/" "/")) NIL`)
	c.ok("DELETE Dossiers")
	c.want(`LIST "" Dossiers*`, `LIST (\NonExistent \Noselect \HasChildren) "/" Dossiers`, `LIST (\HasNoChildren) "/" Dossiers/2026`)
	c.ok("CREATE Dossiers")
	for _, test := range []struct{ command, want string }{
		{"CREATE inbox", "NO [ALREADYEXISTS]"},
		{"CREATE Sent", "NO [ALREADYEXISTS]"},
		{"CREATE a//b", "NO [CANNOT]"},
		{`CREATE "a*b"`, "NO [CANNOT]"},
		{`CREATE Second (USE (\Sent))`, "OK"},
		{`CREATE Second (USE (\Flagged))`, "NO [USEATTR]"},
		{"DELETE INBOX", "NO [CANNOT]"},
		{"DELETE Nowhere", "NO [NONEXISTENT]"},
		{"RENAME INBOX Old", "OK"},
		{"RENAME Dossiers Dossiers/2026/x", "NO [CANNOT]"},
		{"RENAME Dossiers Sent", "NO [ALREADYEXISTS]"},
		{"RENAME Nowhere Else", "NO [NONEXISTENT]"},
		{"SUBSCRIBE Nowhere", "NO [NONEXISTENT]"},
		{"STATUS Nowhere (MESSAGES)", "NO [NONEXISTENT]"},
		{"LOGIN a b", "BAD"},
	} {
		c.refused(test.command, test.want)
	}
}

func TestMailboxDeletedWhileSelected(t *testing.T) {
	b := newBed(t, 0)
	one, idle, two := b.text("CREATE Old", "SELECT Old"), b.text("SELECT Old"), b.text()
	idle.send("IDLE")
	idle.line()
	two.ok("DELETE Old")
	if line := idle.line(); !strings.HasPrefix(line, "* BYE") {
		t.Error(line)
	}
	one.send("NOOP")
	if line := one.line(); !strings.HasPrefix(line, "* BYE") {
		t.Error(line)
	}
}

func TestIdlePushesFlagsAndExpunges(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	b.deliver(hello)
	idle, other := b.text("SELECT INBOX"), b.text("SELECT INBOX")
	tag := idle.send("IDLE")
	if line := idle.line(); !strings.HasPrefix(line, "+") {
		t.Fatal(line)
	}
	other.ok(`STORE 1 +FLAGS (\Deleted)`)
	other.ok("EXPUNGE")
	b.deliver(hello)
	var got []string
	for len(got) == 0 || got[len(got)-1] != "* 2 EXISTS" {
		got = append(got, idle.line())
	}
	if all := strings.Join(got, "\n"); !strings.Contains(all, "* 1 EXPUNGE") {
		t.Errorf("IDLE told\n%s", all)
	}
	idle.conn.Write([]byte("DONE\r\n"))
	if line := idle.line(); !strings.HasPrefix(line, tag+" OK") {
		t.Error(line)
	}
}

func TestManyUnreadEvents(t *testing.T) {
	b := newBed(t, 0)
	slow, busy := b.text("SELECT INBOX"), b.text("SELECT INBOX")
	for range 40 { // more than a watch buffers
		b.deliver(hello)
	}
	busy.ok("NOOP")
	busy.ok(`STORE 1:20 +FLAGS.SILENT (\Deleted)`)
	busy.ok("EXPUNGE")
	for range 40 {
		busy.ok(`STORE 1 +FLAGS.SILENT (\Flagged)`)
		busy.ok(`STORE 1 -FLAGS.SILENT (\Flagged)`)
	}
	slow.want("NOOP", "20 EXISTS")
	slow.want("UID FETCH 1:21 FLAGS", "1 FETCH (UID 21 FLAGS ())")
}

func TestCloseSaysBye(t *testing.T) {
	b := newBed(t, 0)
	c := b.text("SELECT INBOX")
	b.server.Disconnect(func(address string) bool { return address == owner })
	if line := c.line(); !strings.HasPrefix(line, "* BYE") {
		t.Error(line)
	}
	c = b.text("SELECT INBOX")
	b.server.Close()
	if line := c.line(); !strings.HasPrefix(line, "* BYE") {
		t.Error(line)
	}
}

func TestRecent(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	look, one, two, rev2 := b.text(), b.text(), b.text(), b.text("ENABLE IMAP4rev2")
	for _, c := range []*text{look, one, two, rev2} {
		c.recent = true
	}
	has := func(got []string, want string) {
		t.Helper()
		if !slices.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	has(look.ok("STATUS INBOX (RECENT)"), "STATUS INBOX (RECENT 1)")
	has(look.ok("EXAMINE INBOX"), "1 RECENT")
	has(one.ok("SELECT INBOX"), "1 RECENT")
	has(two.ok("SELECT INBOX"), "0 RECENT")
	has(look.ok("STATUS INBOX (RECENT)"), "STATUS INBOX (RECENT 0)")
	one.want("FETCH 1 FLAGS", `1 FETCH (FLAGS (\Recent))`)
	two.want("FETCH 1 FLAGS", `1 FETCH (FLAGS ())`)
	b.deliver(hello)
	two.want("NOOP", "2 EXISTS", "1 RECENT")
	one.want("NOOP", "2 EXISTS", "1 RECENT")
	one.want("SEARCH RECENT", "SEARCH 1")
	two.want("SEARCH NEW", "SEARCH 2")
	one.want("SEARCH OLD", "SEARCH 2")
	b.deliver(hello)
	rev2.ok("SELECT INBOX")
	rev2.want("FETCH 3 FLAGS", `3 FETCH (FLAGS ())`)
	two.ok("CLOSE")
	one.ok("CLOSE")
	has(b.text().textRecent().ok("SELECT INBOX"), "1 RECENT")
}

func (c *text) textRecent() *text {
	c.recent = true
	return c
}

// A client that takes nothing does not hold up a server that stops.
func TestCloseBesideStuckClient(t *testing.T) {
	b := newBed(t, 0)
	b.deliver("Subject: large\n\n" + strings.Repeat(strings.Repeat("x", 70)+"\n", 10_000))
	c := b.text("SELECT INBOX")
	for range 20 { // more than the link takes
		c.send("FETCH 1 BODY.PEEK[]")
	}
	time.Sleep(100 * time.Millisecond)
	closed := make(chan struct{})
	go func() { b.server.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(4 * byeTimeout):
		t.Fatal("the server waits for a client that takes nothing")
	}
}
