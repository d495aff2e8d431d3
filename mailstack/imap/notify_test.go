package imap

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/store"
)

// told reads what is pushed: lines that begin so, in this order.
func (c *text) told(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if line := strings.TrimPrefix(c.line(), "* "); !strings.HasPrefix(line, w) {
			c.t.Errorf("told %q, want %q", line, w)
		}
	}
}

// silent makes sure that nothing was or is told.
func (c *text) silent() {
	c.t.Helper()
	c.want("NOOP")
}

func TestNotifyRefused(t *testing.T) {
	b := newBed(t, 0)
	c := b.text("NOTIFY SET (MAILBOXES Junk (MessageNew MessageExpunge))")
	many := strings.Repeat(" x", maxNotifyNames+1)[1:]
	for _, test := range []struct{ command, want string }{
		{"NOTIFY", "BAD"},
		{"NOTIFY SET", "BAD"},
		{"NOTIFY SET ()", "BAD"},
		{"NOTIFY SET STATUS", "BAD"},
		{"NOTIFY NONE (PERSONAL (MailboxName))", "BAD"},
		{"NOTIFY SET (NOWHERE (MailboxName))", "BAD"},
		{"NOTIFY SET (PERSONAL ())", "BAD"},
		{"NOTIFY SET (PERSONAL MailboxName)", "BAD"},
		{"NOTIFY SET (SUBTREE (MailboxName))", "BAD"},
		{"NOTIFY SET (MAILBOXES () (MailboxName))", "BAD"},
		{"NOTIFY SET (PERSONAL (MessageNew))", "BAD"},
		{"NOTIFY SET (PERSONAL (MessageExpunge))", "BAD"},
		{"NOTIFY SET (PERSONAL (FlagChange))", "BAD"},
		{"NOTIFY SET (PERSONAL (MessageNew FlagChange))", "BAD"},
		{"NOTIFY SET (PERSONAL (MessageNew (UID) MessageExpunge))", "BAD"},
		{"NOTIFY SET (SELECTED (MessageNew (NOTHING) MessageExpunge))", "BAD"},
		{"NOTIFY SET (SELECTED (MessageNew () MessageExpunge))", "BAD"},
		{"NOTIFY SET (SELECTED (MailboxName))", "BAD"},
		{"NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge SubscriptionChange))", "BAD"},
		{"NOTIFY SET (SELECTED NONE) (SELECTED-DELAYED (MessageNew MessageExpunge))", "BAD"},
		{"NOTIFY SET (SELECTED (MessageNew MessageExpunge AnnotationChange))", "NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName " +
			"SubscriptionChange MailboxMetadataChange ServerMetadataChange)]"},
		{"NOTIFY SET (PERSONAL (MailboxName SomethingElse))", "NO [BADEVENT ("},
		{"NOTIFY SET (MAILBOXES (" + many + ") (MailboxName))", "NO [NOTIFICATIONOVERFLOW]"},
		{"NOTIFY SET" + strings.Repeat(" (PERSONAL (MailboxName))", maxNotifyGroups+1), "NO [NOTIFICATIONOVERFLOW]"},
	} {
		c.refused(test.command, test.want)
	}
	// What was asked for before is still in force.
	b.text().add("Junk", "", hello)
	c.told("STATUS Junk (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ")
}

func TestNotifyOtherMailbox(t *testing.T) {
	b := newBed(t, 0)
	other := b.text("CREATE Lists")
	c := b.text("SELECT INBOX", "NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (MAILBOXES (INBOX Lists) (MessageNew MessageExpunge FlagChange))")
	other.add("Lists", "", hello)
	c.told("STATUS Lists (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ")
	other.ok("SELECT Lists")
	other.ok(`STORE 1 +FLAGS (\Seen)`)
	if line := c.line(); !strings.HasSuffix(line, " UNSEEN 0)") {
		t.Error(line)
	}
	other.ok(`STORE 1 +FLAGS (\Deleted)`)
	c.told("STATUS Lists (MESSAGES 1 ")
	other.ok("EXPUNGE")
	c.told("STATUS Lists (MESSAGES 0 UIDNEXT 2 ")
	// Of the selected mailbox only what SELECTED says is told.
	other.add("INBOX", "", hello)
	c.told("1 EXISTS")
	c.silent()
	// A client is not told of what it does itself.
	c.add("Lists", "", hello)
	c.ok("COPY 1 Lists")
	c.silent()
	// Who knows of modification sequences is told them.
	c.ok("ENABLE CONDSTORE")
	other.ok("SELECT Lists")
	other.ok(`STORE 1 +FLAGS (\Seen)`)
	if line := c.line(); !strings.Contains(line, " HIGHESTMODSEQ ") {
		t.Error(line)
	}
	c.ok("NOTIFY NONE")
	other.ok(`STORE 1 -FLAGS (\Seen)`)
	c.silent()
}

// Changes that a client has no time for are told together.
func TestNotifyTellsOnce(t *testing.T) {
	b := newBed(t, 0)
	other := b.text("CREATE Lists")
	c := b.text("NOTIFY SET (MAILBOXES Lists (MessageNew MessageExpunge))")
	fmt.Fprintf(c.conn, "x APPEND INBOX {%d}\r\n", len("A: b\r\n\r\n"))
	c.told("+")
	for range 5 {
		other.add("Lists", "", hello)
	}
	fmt.Fprint(c.conn, "A: b\r\n\r\n\r\n")
	c.told("STATUS Lists (MESSAGES 5 UIDNEXT 6 ", "x OK")
	c.silent()
}

func TestNotifyFilters(t *testing.T) {
	b := newBed(t, 0)
	mine, _ := b.share("lr")
	mine.ok("SETACL INBOX " + colleague + " l")
	const theirs = "Other Users/" + owner + "/Dossiers"
	other := b.textOf(colleague, "CREATE Lists", "CREATE Lists/Go", "CREATE Listserv", "SUBSCRIBE Lists/Go", `SUBSCRIBE "`+theirs+`"`)
	all := []string{"INBOX", "Lists", "Lists/Go", "Listserv", theirs}
	const events = " (MessageNew MessageExpunge))"
	for _, test := range []struct {
		filter string
		want   []string
	}{
		{"(PERSONAL" + events, all[:4]},
		{"(INBOXES" + events, all[:4]},
		{"(MAILBOXES inbox" + events, all[:1]},
		{"(MAILBOXES (Lists/ nowhere Listserv)" + events, []string{"Lists", "Listserv"}},
		{"(MAILBOXES \"Lists*\"" + events, nil},
		{"(SUBTREE Lists" + events, []string{"Lists", "Lists/Go"}},
		{"(SUBTREE (Lists INBOX)" + events, []string{"INBOX", "Lists", "Lists/Go"}},
		{`(SUBTREE ""` + events, all},
		{`(SUBTREE "Other Users"` + events, all[4:]},
		{`(MAILBOXES "Other Users/` + strings.ToUpper(owner) + `/Dossiers"` + events, all[4:]},
		{`(MAILBOXES "Other Users/` + colleague + `/Lists"` + events, all[1:2]},
		{`(MAILBOXES "Other Users/` + owner + `/Sent"` + events, nil},
		{"(SUBSCRIBED" + events, []string{"INBOX", "Lists/Go", theirs}},
		{"(SELECTED" + events, nil},
		{"(PERSONAL (MailboxName))", nil},
		{"(MAILBOXES Lists NONE) (SUBTREE Lists" + events, []string{"Lists/Go"}},
		{"(SUBTREE Lists" + events + " (MAILBOXES Lists NONE)", []string{"Lists", "Lists/Go"}},
		{"(MAILBOXES Lists" + events + " (MAILBOXES INBOX" + events, []string{"INBOX", "Lists"}},
	} {
		c := b.textOf(colleague, "NOTIFY SET "+test.filter)
		var got []string
		for _, name := range all {
			if name == theirs {
				mine.add("Dossiers", "", hello)
			} else {
				other.add(name, "", hello)
			}
		}
		mine.add("Sent", "", hello)
		mine.add("INBOX", "", hello)
		for tag := c.send("NOOP"); ; {
			line := c.line()
			if strings.HasPrefix(line, tag) {
				break
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "* STATUS "), " (")
			got = append(got, strings.Trim(name, `"`))
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, slices.Sorted(slices.Values(test.want))) {
			t.Errorf("%s: told of %q, want %q", test.filter, got, test.want)
		}
		c.conn.Close()
	}
}

func TestNotifyStatus(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.share("l")
	c.add("INBOX", "", hello)
	c.add("Sent", `(\Seen) `, hello)
	got := c.ok(`NOTIFY SET STATUS (MAILBOXES (INBOX Sent Nowhere) (MessageNew MessageExpunge FlagChange)) (SUBTREE "Other Users" (MessageNew MessageExpunge))`)
	for i, want := range []string{"STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ", `LIST (\HasNoChildren \NoAccess) "/" ` + shared, "STATUS Sent (MESSAGES 1 "} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Fatalf("got %q, want %q at %d", got, want, i)
		}
	}
	if len(got) != 3 || !strings.Contains(got[2], " UNSEEN 0 HIGHESTMODSEQ ") {
		t.Errorf("got %q", got)
	}
	// The selected mailbox is none of them, nor are those of which no messages are told.
	c.ok("SELECT INBOX")
	if got := c.ok(`NOTIFY SET STATUS (MAILBOXES INBOX (MessageNew MessageExpunge)) (MAILBOXES Sent (MailboxName))`); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	mine.ok("SETACL Dossiers " + colleague + " r")
	if got := c.ok(`NOTIFY SET STATUS (SUBTREE "Other Users" (MessageNew MessageExpunge))`); len(got) != 0 {
		t.Errorf("told of a mailbox that may not be looked up: %q", got)
	}
}

func TestNotifySelected(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	c := b.text("SELECT INBOX")
	other := b.text("SELECT INBOX")
	// Before NOTIFY nothing is told without a command.
	other.ok(`STORE 1 +FLAGS (\Answered)`)
	c.want("NOTIFY SET (SELECTED (MessageNew (UID FLAGS BODY[TEXT]) MessageExpunge FlagChange))", `1 FETCH (FLAGS (\Answered))`)
	b.deliver(hello)
	body := strings.ReplaceAll(hello[strings.Index(hello, "\n\n")+2:], "\n", "\r\n")
	c.told("2 EXISTS", "2 FETCH (UID 2 FLAGS () BODY[TEXT] "+body+")")
	other.ok("NOOP")
	other.want("FETCH 2 FLAGS", `2 FETCH (FLAGS ())`) // telling does not make seen
	other.ok(`STORE 2 +FLAGS (\Seen)`)
	c.told(`2 FETCH (UID 2 FLAGS (\Seen))`)
	other.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.told(`1 FETCH (UID 1 FLAGS `)
	other.ok("EXPUNGE")
	c.told("1 EXPUNGE")
	// What the client stores itself brings no FETCH, what others store at the same time does.
	c.n++
	fmt.Fprintf(c.conn, "a%d APPEND INBOX {6+}\r\nA: b\r\n\r\n", c.n)
	for line := c.line(); !strings.HasPrefix(line, fmt.Sprintf("a%d OK", c.n)); line = c.line() {
		if strings.Contains(line, "FETCH") {
			t.Errorf("told %q", line)
		}
	}
	c.ok("COPY 1 INBOX")
	c.silent()
	// IDLE tells the same.
	tag := c.send("IDLE")
	c.told("+")
	b.deliver(hello)
	c.told("4 EXISTS", "4 FETCH (UID 5 FLAGS (")
	fmt.Fprint(c.conn, "DONE\r\n")
	c.told(tag + " OK")
	// It is about the mailbox that is selected, whichever that is.
	c.ok("SELECT Junk")
	b.deliver(hello)
	other.add("Junk", "", "A: b\n\n")
	c.told("1 EXISTS", "1 FETCH (UID 1 FLAGS (")
	c.ok("UNSELECT")
	other.add("Junk", "", "A: b\n\n")
	c.silent()
}

// Resynchronising clients hear of UIDs and modification sequences.
func TestNotifySelectedWithQResync(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	c := b.text("ENABLE QRESYNC", "SELECT INBOX", "NOTIFY SET (SELECTED (MessageNew (UID MODSEQ) MessageExpunge FlagChange)) (MAILBOXES Junk (MessageNew MessageExpunge))")
	other := b.text("SELECT INBOX")
	b.deliver(hello)
	c.told("2 EXISTS")
	if line := c.line(); !strings.HasPrefix(line, "* 2 FETCH (UID 2 MODSEQ (") {
		t.Error(line)
	}
	other.ok(`STORE 1 +FLAGS (\Deleted)`)
	if line := c.line(); !strings.HasPrefix(line, `* 1 FETCH (UID 1 FLAGS (\Deleted) MODSEQ (`) {
		t.Error(line)
	}
	other.ok("EXPUNGE")
	c.told("VANISHED 1")
	other.add("Junk", "", hello)
	if line := c.line(); !strings.Contains(line, " HIGHESTMODSEQ ") {
		t.Error(line)
	}
}

// A client that copies much into its own mailbox is not told of what it did, message by message.
func TestNotifyOwnCopies(t *testing.T) {
	b := newBed(t, 0)
	for range 3 {
		b.deliver(hello)
	}
	c := b.text("SELECT INBOX", "NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge))")
	c.want("COPY 1:3 INBOX", "6 EXISTS")
	c.ok("MOVE 1 INBOX")
	b.deliver(hello)
	c.told("7 EXISTS", "7 FETCH (UID 8)")
	c.silent()
}

func TestNotifySelectedWithoutFlags(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	c, other := b.text("SELECT INBOX", "NOTIFY SET (SELECTED (MessageNew MessageExpunge))"), b.text("SELECT INBOX")
	other.ok(`STORE 1 +FLAGS (\Seen)`)
	c.silent()
	c.want(`STORE 1 +FLAGS (\Flagged)`, `1 FETCH (FLAGS (\Seen \Flagged))`) // the answer to a command is told
	b.deliver(hello)
	c.told("2 EXISTS")
}

func TestNotifySelectedDelayed(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	b.deliver(hello)
	c, other := b.text("SELECT INBOX", "NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))"), b.text("SELECT INBOX")
	other.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.told(`1 FETCH (UID 1 FLAGS `)
	other.ok("EXPUNGE")
	b.deliver(hello)
	c.told("3 EXISTS") // the expunged message still has its number
	c.want("FETCH 2 UID", "2 FETCH (UID 2)")
	c.want("NOOP", "1 EXPUNGE")
	other.ok("NOOP")
	other.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.told(`1 FETCH (UID 2 FLAGS `)
	tag := c.send("IDLE")
	c.told("+")
	other.ok("EXPUNGE")
	c.told("1 EXPUNGE")
	fmt.Fprint(c.conn, "DONE\r\n")
	c.told(tag + " OK")
}

// NONE, and SET without SELECTED, keep the selected mailbox as it is but for what the client does itself.
func TestNotifyNone(t *testing.T) {
	for _, command := range []string{"NOTIFY NONE", "NOTIFY SET (SELECTED NONE)", "NOTIFY SET (PERSONAL (MailboxName))"} {
		b := newBed(t, 0)
		b.deliver(hello)
		c, other := b.text("SELECT INBOX", command), b.text("SELECT INBOX")
		b.deliver(hello)
		other.ok(`STORE 1 +FLAGS (\Flagged)`)
		c.silent()
		tag := c.send("IDLE")
		c.told("+")
		b.deliver(hello)
		fmt.Fprint(c.conn, "DONE\r\n")
		c.told(tag + " OK")
		c.want("FETCH 1 UID", "1 FETCH (UID 1)")
		c.refused("FETCH 2 UID", "BAD")
		c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		if got := c.ok("EXPUNGE"); !slices.Contains(got, "1 EXPUNGE") {
			t.Errorf("EXPUNGE: %q", got)
		}
		c.want("FETCH 1 UID", "1 FETCH (UID 2)")
		b.deliver(hello)
		c.silent()
		c.want("NOTIFY SET (SELECTED (MessageNew MessageExpunge))", "3 EXISTS")
	}
}

func TestNotifyNames(t *testing.T) {
	b := newBed(t, 0)
	other := b.text("CREATE Plans")
	c := b.text("NOTIFY SET (PERSONAL (MailboxName)) (SUBTREE Plans (SubscriptionChange))")
	for _, test := range []struct {
		command string
		want    []string
	}{
		{"CREATE Plans/2026", []string{`LIST (\HasNoChildren) "/" Plans/2026`, `LIST (\HasChildren) "/" Plans`}},
		{"CREATE Plans/2026/May", []string{`LIST (\HasNoChildren) "/" Plans/2026/May`, `LIST (\HasChildren) "/" Plans/2026`}},
		{"SUBSCRIBE Plans/2026", []string{`LIST (\Subscribed \HasChildren) "/" Plans/2026`}},
		{"SUBSCRIBE Plans/2026", nil},
		{"SUBSCRIBE Plans", []string{`LIST (\Subscribed \HasChildren) "/" Plans`}},
		{"UNSUBSCRIBE Plans", []string{`LIST (\HasChildren) "/" Plans`}},
		{"UNSUBSCRIBE Sent", nil},
		{"RENAME Plans/2026 Plans/2027", []string{`LIST (\Subscribed \HasChildren) "/" Plans/2027 ("OLDNAME" (Plans/2026))`}},
		{"RENAME Plans/2027/May Plans/May", []string{`LIST (\HasNoChildren) "/" Plans/May ("OLDNAME" (Plans/2027/May))`}},
		{"DELETE Plans/May", []string{`LIST (\NonExistent) "/" Plans/May`, `LIST (\HasChildren) "/" Plans`}},
		{"DELETE Plans/2027", []string{`LIST (\NonExistent \Subscribed) "/" Plans/2027`, `LIST (\HasNoChildren) "/" Plans`}},
		{`SETACL Plans ` + colleague + ` lr`, nil},
		{"RENAME INBOX Past", []string{`LIST (\HasNoChildren) "/" Past`}},
	} {
		other.ok(test.command)
		if got := c.ok("NOOP"); !slices.Equal(got, test.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", test.command, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
	c.ok("CREATE Mine")
	c.ok("SUBSCRIBE Plans")
	c.ok("DELETE Mine")
	c.silent()
}

func TestNotifyAnnotations(t *testing.T) {
	b := newBed(t, 0)
	mine, other := b.share("lr")
	mine.ok("NOTIFY SET (MAILBOXES Dossiers (MailboxMetadataChange)) (PERSONAL (ServerMetadataChange))")
	other.ok(`NOTIFY SET (SUBTREE "Other Users" (MailboxMetadataChange ServerMetadataChange))`)
	changer := b.text()
	changer.ok(`SETMETADATA Dossiers (/shared/comment "a" /private/comment "b")`)
	mine.told("METADATA Dossiers /private/comment /shared/comment")
	other.told("METADATA " + shared + " /shared/comment")
	changer.ok(`SETMETADATA Dossiers (/private/comment NIL)`)
	mine.told("METADATA Dossiers /private/comment")
	changer.ok(`SETMETADATA "" (/private/x "y")`)
	mine.told(`METADATA "" /private/x`)
	changer.ok(`SETMETADATA INBOX (/shared/comment "c")`)
	third := b.textOf(colleague)
	third.ok(`SETMETADATA ` + shared + ` (/private/comment "d")`)
	other.told("METADATA " + shared + " /private/comment")
	if err := b.store.SetMetadata(t.Context(), b.account(owner).ID, 0, []store.MetadataEntry{{Name: "/shared/admin", Value: []byte("x")}}, nil); err != nil {
		t.Fatal(err)
	}
	mine.told(`METADATA "" /shared/admin`)
	other.told(`METADATA "" /shared/admin`)
	mine.ok(`SETMETADATA Dossiers (/shared/comment "mine")`)
	other.told("METADATA " + shared + " /shared/comment")
	mine.silent()
	mine.ok("SETACL Dossiers " + colleague + " l")
	mine.ok(`SETMETADATA Dossiers (/shared/comment "secret")`)
	other.silent()
}

// ENABLE METADATA makes annotations known without NOTIFY: with the next command, or during IDLE (RFC 5464, 4.4).
func TestEnableMetadata(t *testing.T) {
	b := newBed(t, 0)
	mine, other := b.share("lr")
	if got := mine.ok("ENABLE METADATA CONDSTORE X"); len(got) != 1 || got[0] != "ENABLED METADATA CONDSTORE" {
		t.Errorf("got %q", got)
	}
	other.want("ENABLE METADATA", "ENABLED METADATA")
	changer := b.text()
	changer.ok(`SETMETADATA Dossiers (/shared/comment "a" /private/comment "b")`)
	changer.ok(`SETMETADATA INBOX (/shared/x "c")`)
	mine.want("NOOP", "METADATA INBOX /shared/x", "METADATA Dossiers /private/comment /shared/comment")
	other.want(`LIST "" ""`, `LIST (\Noselect) "/" ""`, "METADATA "+shared+" /shared/comment")
	tag := other.send("IDLE")
	other.told("+")
	changer.ok(`SETMETADATA Dossiers (/shared/comment NIL)`)
	other.told("METADATA " + shared + " /shared/comment")
	fmt.Fprint(other.conn, "DONE\r\n")
	other.told(tag + " OK")
	mine.ok("NOTIFY NONE") // which does not take it back
	changer.ok(`SETMETADATA INBOX (/shared/x "d")`)
	for got := mine.ok("NOOP"); len(got) > 0 && got[0] != "METADATA INBOX /shared/x"; got = mine.ok("NOOP") {
		if got[0] != "METADATA Dossiers /shared/comment" {
			t.Fatalf("told %q", got)
		}
	}
	changer.add("INBOX", "", hello)
	mine.silent()
}

// What may not be looked up and read is not told of, whatever was asked for.
func TestNotifyFollowsRights(t *testing.T) {
	b := newBed(t, 0)
	mine := b.text("CREATE Dossiers", "CREATE Dossiers/Below")
	c := b.textOf(colleague, `NOTIFY SET (SUBTREE "Other Users" (MessageNew MessageExpunge FlagChange MailboxName MailboxMetadataChange))`)
	const list, below = `LIST (\HasChildren) "/" `, `"Other Users/` + owner + `/Dossiers/Below"`
	parent := `LIST (\NonExistent \Noselect \HasChildren) "/" "Other Users/` + owner + `"`
	mine.add("Dossiers", "", hello)
	mine.ok(`SETMETADATA Dossiers (/shared/comment "a")`)
	mine.ok("SETACL Dossiers " + colleague + " r")
	mine.add("Dossiers", "", hello)
	c.silent()
	mine.ok("SETACL Dossiers " + colleague + " l")
	c.told(`LIST (\HasNoChildren) "/" `+shared, parent)
	mine.add("Dossiers", "", hello)
	mine.ok(`SETMETADATA Dossiers (/shared/comment "b")`)
	c.silent()
	mine.ok("SETACL Dossiers " + colleague + " lr")
	mine.add("Dossiers", "", hello)
	c.told("STATUS " + shared + " (MESSAGES 4 ")
	mine.ok("SETACL Dossiers -" + colleague + " r")
	mine.add("Dossiers", "", hello)
	c.silent()
	mine.ok("DELETEACL Dossiers -" + colleague)
	mine.ok("SETACL Dossiers/Below anyone lrk")
	c.told(`LIST (\HasNoChildren) "/" `+below, list+shared)
	mine.add("Dossiers/Below", "", hello)
	c.told("STATUS " + below + " (MESSAGES 1 ")
	mine.ok("RENAME Dossiers Papers")
	c.told(`LIST (\HasChildren) "/" "Other Users/` + owner + `/Papers" ("OLDNAME" (` + shared + `))`)
	c.silent()
	mine.add("Papers/Below", "", hello)
	c.told(`STATUS "Other Users/` + owner + `/Papers/Below" (MESSAGES 2 `)
	mine.ok("RENAME Papers Dossiers")
	c.told(`LIST (\HasChildren) "/" ` + shared + ` ("OLDNAME" ("Other Users/` + owner + `/Papers"))`)
	// A new mailbox inherits rights, and so is told; not to the one who made it.
	mine.ok("CREATE Dossiers/Below/New")
	c.told(`LIST (\HasNoChildren) "/" "Other Users/` + owner + `/Dossiers/Below/New"`)
	c.told(list + below)
	c.ok(`CREATE "Other Users/` + owner + `/Dossiers/Below/Newer"`)
	c.silent()
	mine.add("Dossiers/Below/Newer", "", hello)
	c.told(`STATUS "Other Users/` + owner + `/Dossiers/Below/Newer" (MESSAGES 1 `)
	mine.ok("DELETE Dossiers/Below/New")
	c.told(`LIST (\NonExistent \NoAccess) "/" "Other Users/`+owner+`/Dossiers/Below/New"`, list+below)
	mine.ok("DELETEACL Dossiers " + colleague)
	c.told(`LIST (\NonExistent \Noselect \HasChildren) "/" `+shared, parent)
	mine.add("Dossiers", "", hello)
	c.silent()
}

func TestNotifyOverflow(t *testing.T) {
	b := newBed(t, 0)
	c := b.text("SELECT INBOX", "NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (SubscriptionChange MessageNew MessageExpunge))")
	fmt.Fprintf(c.conn, "x APPEND Sent {%d}\r\n", len("A: b\r\n\r\n"))
	c.told("+")
	account := b.account(owner).ID
	var wg sync.WaitGroup
	for i := range maxNews + 1 {
		wg.Go(func() {
			if err := b.store.SetSubscription(context.Background(), account, fmt.Sprint("n", i), true, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	fmt.Fprint(c.conn, "A: b\r\n\r\n\r\n")
	c.told("OK [NOTIFICATIONOVERFLOW] ", "x OK")
	// It is as after NOTIFY NONE.
	b.deliver(hello)
	b.text().add("Junk", "", hello)
	c.silent()
	c.ok("NOTIFY SET (PERSONAL (MessageNew MessageExpunge))")
	b.text().add("Junk", "", hello)
	c.told("STATUS Junk (MESSAGES 2 ")
}

// A client that is told something between its commands can go on at any time.
func TestNotifyBetweenCommands(t *testing.T) {
	b := newBed(t, 0)
	c := b.text("SELECT INBOX", "NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))")
	const mails = 200
	arrived := make(chan struct{})
	go func() {
		defer close(arrived)
		for range mails {
			b.deliver(hello)
		}
	}()
	seen := 0
	for seen < mails {
		tag := c.send("UID SEARCH ALL")
		for {
			line := c.line()
			if strings.HasPrefix(line, tag+" OK") {
				break
			}
			if strings.Contains(line, " FETCH (UID ") {
				if seen++; !strings.HasPrefix(line, fmt.Sprintf("* %d FETCH (UID %d)", seen, seen)) {
					t.Fatalf("told %q after %d", line, seen-1)
				}
			}
			if strings.HasPrefix(line, "* STATUS") {
				t.Errorf("told %q", line)
			}
		}
	}
	<-arrived
	c.silent()
}

// Sessions that listen cost no goroutine while nothing happens.
func TestNotifySleeps(t *testing.T) {
	b := newBed(t, 0)
	before := runtime.NumGoroutine()
	const sessions = 50
	for range sessions {
		b.text("SELECT INBOX", "NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (SUBSCRIBED (MessageNew MessageExpunge MailboxName))")
	}
	for range 1000 {
		if runtime.NumGoroutine() < before+sessions/2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines for %d sessions", runtime.NumGoroutine()-before, sessions)
}
