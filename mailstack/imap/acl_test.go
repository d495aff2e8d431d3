package imap

import (
	"fmt"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/store"
)

const shared = `"Other Users/` + owner + `/Dossiers"`

// share gives a colleague rights on the owner's mailbox Dossiers, and returns sessions of both.
func (b *bed) share(rights string) (mine, theirs *text) {
	b.t.Helper()
	mine = b.text("CREATE Dossiers", `SETACL Dossiers `+colleague+` "`+rights+`"`)
	return mine, b.textOf(colleague)
}

// add is append for a message that must be taken.
func (c *text) add(mailbox, options, raw string) {
	c.t.Helper()
	if status := c.append(mailbox, options, raw); !strings.HasPrefix(status, "OK") {
		c.t.Fatalf("APPEND %s: %s", mailbox, status)
	}
}

func TestACLCommands(t *testing.T) {
	b := newBed(t, 0)
	c := b.text("CREATE Dossiers")
	entry := func(identifier, rights string) string { return fmt.Sprintf(` "%s" %s`, identifier, rights) }
	all := `ACL Dossiers` + entry(owner, "lrswipkxteacd")
	for _, test := range []struct{ command, status, acl string }{
		{`NOOP`, "OK", all},
		{`SETACL Dossiers ` + colleague + ` lr`, "OK", all + entry(colleague, "lr")},
		{`SETACL Dossiers ` + strings.ToUpper(colleague) + ` +si`, "OK", all + entry(colleague, "lrsi")},
		{`SETACL Dossiers ` + colleague + ` -r`, "OK", all + entry(colleague, "lsi")},
		{`SETACL Dossiers ` + colleague + ` +c`, "OK", all + entry(colleague, "lsikxc")},
		{`SETACL Dossiers ` + colleague + ` ld`, "OK", all + entry(colleague, "lted")},
		{`SETACL Dossiers ` + colleague + ` -d`, "OK", all + entry(colleague, "l")},
		{`SETACL Dossiers -` + colleague + ` w`, "OK", all + entry("-"+colleague, "w") + entry(colleague, "l")},
		{`DELETEACL Dossiers ` + colleague, "OK", all + entry("-"+colleague, "w")},
		{`SETACL Dossiers -` + colleague + ` ""`, "OK", all},
		{`SETACL Dossiers anyone l`, "OK", all + " anyone l"},
		{`DELETEACL Dossiers anyone`, "OK", all},
		{`DELETEACL Dossiers gone@finances.gouv.tg`, "OK", all},
		{`SETACL Dossiers ` + owner + ` +l`, "OK", all},
		{`SETACL Dossiers ` + owner + ` lrswipkxteacd`, "OK", all},
		{`SETACL Dossiers ` + owner + ` lr`, "NO [CANNOT]", all},
		{`SETACL Dossiers ` + owner + ` -a`, "NO [CANNOT]", all},
		{`SETACL Dossiers -` + owner + ` w`, "NO [CANNOT]", all},
		{`DELETEACL Dossiers ` + owner, "NO [CANNOT]", all},
		{`SETACL Dossiers nobody@finances.gouv.tg l`, "NO [NONEXISTENT]", all},
		{`SETACL Dossiers "" l`, "BAD", all},
		{`SETACL Dossiers - l`, "BAD", all},
		{`SETACL Dossiers ` + colleague + ` lrq`, "BAD", all},
		{`SETACL Dossiers ` + colleague + ` lR`, "BAD", all},
		{`SETACL Dossiers ` + colleague, "BAD", all},
		{`SETACL Nowhere ` + colleague + ` l`, "NO [NONEXISTENT]", all},
		{`DELETEACL Nowhere ` + colleague, "NO [NONEXISTENT]", all},
		{`DELETEACL Dossiers`, "BAD", all},
		{`GETACL Nowhere`, "NO [NONEXISTENT]", all},
		{`MYRIGHTS Nowhere`, "NO [NONEXISTENT]", all},
		{`LISTRIGHTS Nowhere anyone`, "NO [NONEXISTENT]", all},
		{`LISTRIGHTS Dossiers nobody@finances.gouv.tg`, "NO [NONEXISTENT]", all},
		{`LISTRIGHTS Dossiers`, "BAD", all},
	} {
		c.refused(test.command, test.status)
		if got := c.ok("GETACL Dossiers"); len(got) != 1 || got[0] != test.acl {
			t.Errorf("%s: got %q, want %q", test.command, got, test.acl)
		}
	}
	c.want("MYRIGHTS Dossiers", "MYRIGHTS Dossiers lrswipkxteacd")
	each := ` "" l r s w i p k x t e a c d`
	c.want("LISTRIGHTS Dossiers anyone", "LISTRIGHTS Dossiers anyone"+each)
	c.want("LISTRIGHTS Dossiers "+strings.ToUpper(colleague), `LISTRIGHTS Dossiers "`+strings.ToUpper(colleague)+`"`+each)
	c.want("LISTRIGHTS Dossiers "+owner, `LISTRIGHTS Dossiers "`+owner+`" lrswipkxteacd`)
}

// Every command against every right that it takes: RFC 4314, 4.
func TestRightsOfCommands(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.text(), b.textOf(colleague)
	const dir = `"Other Users/` + owner + `/Dossiers/`
	const gone = "NO [NONEXISTENT]"
	const perm = "NO [NOPERM]"
	for i, test := range []struct {
		rights, command, want string
		selected              bool
	}{
		{"", "SELECT " + shared, gone, false},
		{"lswipkxtea", "SELECT " + shared, perm, false},
		{"swipkxtea", "EXAMINE " + shared, gone, false},
		{"r", "SELECT " + shared, "OK [READ-ONLY]", false},
		{"rp", "SELECT " + shared, "OK [READ-ONLY]", false},
		{"rs", "SELECT " + shared, "OK [READ-WRITE]", false},
		{"ri", "SELECT " + shared, "OK [READ-WRITE]", false},
		{"re", "SELECT " + shared, "OK [READ-WRITE]", false},
		{"ri", "EXAMINE " + shared, "OK [READ-ONLY]", false},
		{"", "STATUS " + shared + " (MESSAGES)", gone, false},
		{"lswipkxtea", "STATUS " + shared + " (MESSAGES)", perm, false},
		{"r", "STATUS " + shared + " (MESSAGES)", "OK", false},
		{"rswipkxtea", "SUBSCRIBE " + shared, gone, false},
		{"l", "SUBSCRIBE " + shared, "OK", false},
		{"", "UNSUBSCRIBE " + shared, "OK", false},
		{"", "CREATE " + dir + `New"`, perm, false},
		{"lrswipxtea", "CREATE " + dir + `New"`, perm, false},
		{"k", "CREATE " + dir + `New"`, "OK", false},
		{"k", "CREATE " + dir + `New/Below"`, "OK", false},
		{"lrswipkxtea", `CREATE "Other Users/` + owner + `/New"`, perm, false},
		{"lrswipkxtea", `CREATE "Other Users/nobody@finances.gouv.tg/New"`, perm, false},
		{"lrswipkxtea", `CREATE "Other Users"`, perm, false},
		{"lrswipktea", "DELETE " + shared, perm, false},
		{"rswipktea", "DELETE " + shared, gone, false},
		{"x", "DELETE " + shared, "OK", false},
		{"lrswipktea", "RENAME " + shared + " " + dir + `New"`, perm, false},
		{"", "RENAME " + shared + " Here", gone, false},
		{"lrswipkxtea", "RENAME " + shared + " Here", "NO [CANNOT]", false},
		{"lrswipkxtea", `RENAME ` + shared + ` "Other Users/` + owner + `/Elsewhere"`, perm, false},
		{"", "GETACL " + shared, gone, false},
		{"lrswipkxte", "GETACL " + shared, perm, false},
		{"a", "GETACL " + shared, "OK", false},
		{"lrswipkxte", "SETACL " + shared + " anyone l", perm, false},
		{"rswipkxte", "SETACL " + shared + " anyone l", gone, false},
		{"a", "SETACL " + shared + " anyone l", "OK", false},
		{"lrswipkxte", "DELETEACL " + shared + " anyone", perm, false},
		{"a", "DELETEACL " + shared + " anyone", "OK", false},
		{"lrswipkxte", "LISTRIGHTS " + shared + " anyone", perm, false},
		{"a", "LISTRIGHTS " + shared + " anyone", "OK", false},
		{"", "MYRIGHTS " + shared, gone, false},
		{"swpte", "MYRIGHTS " + shared, gone, false},
		{"i", "MYRIGHTS " + shared, "OK", false},
		{"lrswpkxtea", "COPY 1 " + shared, perm, true},
		{"rswpkxtea", "COPY 1 " + shared, "NO [TRYCREATE]", true},
		{"i", "COPY 1 " + shared, "OK [COPYUID", true},
		{"i", "MOVE 1 " + shared, "OK", true},
		{"lrswpkxtea", "MOVE 1 " + shared, perm, true},
	} {
		t.Run(fmt.Sprintf("%q %s", test.rights, test.command), func(t *testing.T) {
			name := fmt.Sprint("Dossiers", i)
			mine.ok("CREATE " + name)
			mine.ok("SETACL " + name + " " + colleague + ` "` + test.rights + `"`)
			if test.selected {
				c.add("INBOX", "", hello)
				c.ok("SELECT INBOX")
			}
			c.refused(strings.ReplaceAll(test.command, "Dossiers", name), test.want)
		})
	}
}

func TestRightsInSelectedMailbox(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.share("")
	const perm = "NO [NOPERM]"
	for _, test := range []struct{ rights, command, want string }{
		{"r", `STORE 1 +FLAGS (\Seen)`, perm},
		{"rwte", `STORE 1 +FLAGS (\Seen)`, perm},
		{"rs", `STORE 1 +FLAGS (\Seen)`, "OK"},
		{"rste", `STORE 1 +FLAGS (\Flagged)`, perm},
		{"rw", `STORE 1 +FLAGS (\Flagged work)`, "OK"},
		{"rwse", `STORE 1 +FLAGS (\Deleted)`, perm},
		{"rt", `STORE 1 +FLAGS (\Deleted)`, "OK"},
		{"rs", `STORE 1 FLAGS ()`, "OK"},
		{"ri", `STORE 1 FLAGS ()`, perm},
		{"rswt", `EXPUNGE`, perm},
		{"rswt", `UID EXPUNGE 1`, perm},
		{"re", `EXPUNGE`, "OK"},
		{"rswt", `CLOSE`, "OK"},
		{"rse", `MOVE 1 INBOX`, perm},
		{"rst", `MOVE 1 INBOX`, perm},
		{"rte", `MOVE 1 INBOX`, "OK"},
		{"r", `COPY 1 INBOX`, "OK"},
	} {
		t.Run(fmt.Sprintf("%q %s", test.rights, test.command), func(t *testing.T) {
			mine.add("Dossiers", `(\Deleted) `, hello)
			mine.ok("SETACL Dossiers " + colleague + " " + test.rights)
			c.ok("SELECT " + shared)
			c.refused(test.command, test.want)
		})
	}
}

// Flags that may not be changed are passed over, and a client that asked for silence is told (RFC 4314, 4: STORE).
func TestStoreWithSomeRights(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.share("lrs")
	mine.add("Dossiers", `(\Flagged) `, hello)
	c.ok("SELECT " + shared)
	c.want(`STORE 1 +FLAGS (\Seen \Answered)`, `1 FETCH (FLAGS (\Seen \Flagged))`)
	c.want(`STORE 1 FLAGS (\Draft \Seen)`, `1 FETCH (FLAGS (\Seen \Flagged))`)
	c.want(`STORE 1 FLAGS.SILENT (\Seen)`, `1 FETCH (FLAGS (\Seen \Flagged))`)
	c.want(`STORE 1 FLAGS.SILENT (\Seen \Flagged)`)
	c.want(`STORE 1 -FLAGS.SILENT (\Seen)`)
	c.want(`STORE 1 FLAGS.SILENT ()`, `1 FETCH (FLAGS (\Flagged))`)
	c.want(`STORE 1 -FLAGS.SILENT (\Seen \Flagged)`, `1 FETCH (FLAGS (\Flagged))`)
	c.want(`FETCH 1 FLAGS`, `1 FETCH (FLAGS (\Flagged))`)
}

// Copies and new messages have the flags that the account may set in the target.
func TestFlagsOfCopies(t *testing.T) {
	const flags = `(\Seen \Deleted \Flagged work)`
	for rights, want := range map[string]string{
		"lri": "", "lris": `\Seen`, "lrit": `\Deleted`, "lriw": `\Flagged work`, "lriswt": `\Seen \Flagged \Deleted work`,
	} {
		b := newBed(t, 0)
		_, c := b.share(rights)
		c.add("INBOX", flags+" ", hello)
		c.add("INBOX", flags+" ", hello)
		c.add(shared, flags+" ", hello)
		c.ok("SELECT INBOX")
		c.ok("COPY 1 " + shared)
		c.ok("MOVE 1 " + shared)
		c.n++
		fmt.Fprintf(c.conn, "a%d REPLACE 1 %s %s {4+}\r\nA:b\n\r\n", c.n, shared, flags)
		for {
			if status, tagged := strings.CutPrefix(c.line(), fmt.Sprintf("a%d ", c.n)); tagged {
				if !strings.HasPrefix(status, "OK") {
					t.Fatal(status)
				}
				break
			}
		}
		c.ok("EXAMINE " + shared)
		var lines []string
		for i := range 4 {
			lines = append(lines, fmt.Sprintf("%d FETCH (FLAGS (%s))", i+1, want))
		}
		c.want("FETCH 1:4 FLAGS", lines...)
	}
}

func TestSeenNeedsItsRight(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.share("lriw")
	mine.add("Dossiers", "", hello)
	c.ok("SELECT " + shared)
	c.ok("FETCH 1 BODY[]")
	c.want("FETCH 1 FLAGS", "1 FETCH (FLAGS ())")
	mine.ok("SETACL Dossiers " + colleague + " +s")
	c.ok("FETCH 1 BODY[]")
	c.want("FETCH 1 FLAGS", `1 FETCH (FLAGS (\Seen))`)
}

func TestSharedMailboxesAreListed(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.share("")
	mine.ok("CREATE Dossiers/2026/Budget")
	const list = `LIST "" "Other Users*"`
	c.want(list)
	mine.ok("SETACL Dossiers/2026/Budget " + colleague + " rswipkxtea")
	c.want(list) // without l it is not there
	mine.ok("SETACL Dossiers/2026/Budget " + colleague + " l")
	above := func(name string) string { return `LIST (\NonExistent \Noselect \HasChildren) "/" "` + name + `"` }
	const base = "Other Users/" + owner
	c.want(list, above("Other Users"), above(base), above(base+"/Dossiers"), above(base+"/Dossiers/2026"),
		`LIST (\HasNoChildren) "/" "`+base+`/Dossiers/2026/Budget"`)
	c.want(`LIST "" "Other Users*Budget" RETURN (MYRIGHTS STATUS (MESSAGES))`,
		`LIST (\HasNoChildren) "/" "`+base+`/Dossiers/2026/Budget"`, `MYRIGHTS "`+base+`/Dossiers/2026/Budget" l`)
	mine.ok("SETACL Dossiers/2026/Budget " + colleague + " lrk")
	c.want(`LIST "" "Other Users*Budget" RETURN (MYRIGHTS STATUS (MESSAGES))`,
		`LIST (\HasNoChildren) "/" "`+base+`/Dossiers/2026/Budget"`, `MYRIGHTS "`+base+`/Dossiers/2026/Budget" lrkc`,
		`STATUS "`+base+`/Dossiers/2026/Budget" (MESSAGES 0)`)
	c.want(`LIST "" INBOX RETURN (MYRIGHTS)`, `LIST (\HasNoChildren) "/" INBOX`, "MYRIGHTS INBOX lrswipkxteacd")
	c.ok(`SUBSCRIBE "` + base + `/Dossiers/2026/Budget"`)
	c.want(`LSUB "" "Other*"`, `LSUB () "/" "`+base+`/Dossiers/2026/Budget"`)
	// A mailbox that matches only because of what is below it has neither rights nor status.
	c.want(`LIST (SUBSCRIBED RECURSIVEMATCH) "" "Other Users/%" RETURN (MYRIGHTS)`,
		`LIST (\NonExistent \Noselect \HasChildren) "/" "`+base+`" ("CHILDINFO" ("SUBSCRIBED"))`)
	mine.ok("DELETEACL Dossiers/2026/Budget " + colleague)
	c.want(`LSUB "" "Other*"`)
	c.ok(`UNSUBSCRIBE "Other Users/` + strings.ToUpper(owner) + `/Dossiers/2026/Budget"`)
	mine.ok("SETACL Dossiers/2026/Budget " + colleague + " l")
	c.want(`LSUB "" "Other*"`)
}

func TestOwnMailboxesByTheirSharedNames(t *testing.T) {
	b := newBed(t, 0)
	c := b.text(`CREATE "Other Users/` + owner + `/New"`)
	c.want("STATUS New (MESSAGES)", "STATUS New (MESSAGES 0)")
	c.want(`STATUS "Other Users/`+owner+`/New" (MESSAGES)`, "STATUS New (MESSAGES 0)")
	c.want(`MYRIGHTS "Other Users/`+owner+`/New"`, "MYRIGHTS New lrswipkxteacd")
}

func TestNewMailboxesInheritRights(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.share("lrk")
	c.ok(`CREATE "Other Users/` + owner + `/Dossiers/New"`)
	c.want(`MYRIGHTS "Other Users/`+owner+`/Dossiers/New"`, `MYRIGHTS "Other Users/`+owner+`/Dossiers/New" lrkc`)
	mine.want("GETACL Dossiers/New", `ACL Dossiers/New "`+owner+`" lrswipkxteacd "`+colleague+`" lrkc`)
	c.refused(`DELETE "Other Users/`+owner+`/Dossiers/New"`, "NO [NOPERM]")
	mine.ok("SETACL Dossiers/New " + colleague + " +x")
	c.ok(`RENAME "Other Users/` + owner + `/Dossiers/New" "Other Users/` + owner + `/Dossiers/Newer"`)
	mine.want(`LIST "" Dossiers/*`, `LIST (\HasNoChildren) "/" Dossiers/Newer`)
	mine.ok("SETACL INBOX " + colleague + " lrswipkxtea")
	c.refused(`RENAME "Other Users/`+owner+`/INBOX" "Other Users/`+owner+`/Dossiers/Mail"`, "NO [CANNOT]")
}

// Sessions of two accounts on one mailbox see each other's changes.
func TestSharedMailboxIsOne(t *testing.T) {
	b := newBed(t, 0)
	mine, theirs := b.share("lrswite")
	mine.add("Dossiers", "", hello)
	mine.ok("SELECT Dossiers")
	theirs.ok("SELECT " + shared)
	theirs.want(`STORE 1 +FLAGS (\Answered)`, `1 FETCH (FLAGS (\Answered))`)
	mine.want("NOOP", `1 FETCH (FLAGS (\Answered))`)
	theirs.add(shared, `(\Seen) `, hello)
	mine.want("NOOP", "2 EXISTS")
	mine.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	mine.want("EXPUNGE", "1 EXPUNGE")
	theirs.want("NOOP", "1 EXPUNGE")
	theirs.want("FETCH 1 FLAGS", `1 FETCH (FLAGS (\Seen))`)
}

// A session loses a mailbox together with the right to read it, whatever it is doing.
func TestRightsAreTakenAway(t *testing.T) {
	for _, state := range []string{"sleeps", "idles", "examined", "anyone"} {
		t.Run(state, func(t *testing.T) {
			b := newBed(t, 0)
			mine, c := b.share("lrsw")
			revoke := "DELETEACL Dossiers " + colleague
			switch state {
			case "examined":
				c.ok("EXAMINE " + shared)
			case "anyone":
				c.ok("SELECT " + shared)
				revoke = "SETACL Dossiers -anyone r"
			default:
				c.ok("SELECT " + shared)
			}
			if state == "idles" {
				c.send("IDLE")
				c.line()
			}
			other := b.textOf(colleague) // has nothing selected
			mine.ok(revoke)
			if line := c.line(); !strings.HasPrefix(line, "* BYE") {
				t.Errorf("got %q", line)
			}
			if _, err := c.r.ReadByte(); err == nil {
				t.Error("session goes on")
			}
			other.ok("NOOP")
			mine.ok("SELECT Dossiers") // the owner loses nothing
			mine.ok("NOOP")
		})
	}
}

// A long answer ends where the right to read ends.
func TestRightsAreTakenAwayAmidFetch(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.share("lr")
	box, err := b.store.Mailbox(t.Context(), b.account(owner).ID, "Dossiers")
	if err != nil {
		t.Fatal(err)
	}
	const mails = 1000
	for range 4 {
		messages := make([]store.NewMessage, mails/4)
		for i := range messages {
			messages[i].Raw = fmt.Appendf(nil, "Subject: %d\r\n\r\n%s\r\n", i, strings.Repeat("x", 4<<10))
		}
		if _, err := b.store.AppendAll(t.Context(), box.ID, messages, nil); err != nil {
			t.Fatal(err)
		}
	}
	c.ok("SELECT " + shared)
	c.send("FETCH 1:* BODY[]")
	c.line() // it is under way; what the client does not take holds it up
	mine.ok("DELETEACL Dossiers " + colleague)
	told := 1
	line := c.line()
	for ; strings.Contains(line, " FETCH "); line = c.line() {
		told++
	}
	if !strings.HasPrefix(line, "* BYE") || told == mails {
		t.Errorf("after %d of %d messages: %q", told, mails, line)
	}
}

func TestRightsChangeWhileSelected(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.share("lr")
	mine.add("Dossiers", "", hello)
	if _, status := c.do("SELECT " + shared); !strings.HasPrefix(status, "OK [READ-ONLY]") {
		t.Error(status)
	}
	c.refused(`STORE 1 +FLAGS (\Flagged)`, "NO [NOPERM]")
	mine.ok("SETACL Dossiers " + colleague + " +st")
	const flags = `FLAGS (` + systemFlags + `)`
	c.want("NOOP", "OK [READ-WRITE] Access to the selected mailbox has changed", flags,
		`OK [PERMANENTFLAGS (\Deleted \Seen)] Flags that can be changed`)
	c.want(`STORE 1 +FLAGS (\Seen)`, `1 FETCH (FLAGS (\Seen))`)
	mine.ok("SETACL Dossiers " + colleague + " -t")
	c.want("NOOP", flags, `OK [PERMANENTFLAGS (\Seen)] Flags that can be changed`)
	mine.ok("SETACL Dossiers anyone l")
	c.want("NOOP") // which changes nothing
	tag := c.send("IDLE")
	c.line()
	mine.ok("SETACL Dossiers " + colleague + " lr")
	for _, want := range []string{"* OK [READ-ONLY] ", "* " + flags, "* OK [PERMANENTFLAGS ()]"} {
		if line := c.line(); !strings.HasPrefix(line, want) {
			t.Errorf("got %q, want %q", line, want)
		}
	}
	fmt.Fprint(c.conn, "DONE\r\n")
	if line := c.line(); !strings.HasPrefix(line, tag+" OK") {
		t.Error(line)
	}
	c.refused(`STORE 1 -FLAGS (\Seen)`, "NO [NOPERM]")
	c.ok("FETCH 1 BODY[]")
}
