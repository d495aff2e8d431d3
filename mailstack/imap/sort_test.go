package imap

import (
	"fmt"
	"strings"
	"testing"
)

func TestSortAndThread(t *testing.T) {
	b := newBed(t, 0)
	for i, m := range []struct{ from, subject, more string }{
		{"zoe@a.tg", "Budget", "Message-ID: <1@a>\nDate: Mon, 02 Nov 2026 09:00:00 +0000\n"},
		{"abla@a.tg", "Re: Budget", "Message-ID: <2@a>\nReferences: <1@a>\nDate: Tue, 03 Nov 2026 09:00:00 +0000\n"},
		{"Éric <eric@a.tg>", "Agenda", "Message-ID: <3@a>\nDate: Sun, 01 Nov 2026 09:00:00 +0000\n"},
		{"kofi@a.tg", "Re: Budget", "Message-ID: <4@a>\nReferences: <1@a> <2@a>\nDate: Wed, 04 Nov 2026 09:00:00 +0000\n"},
	} {
		b.deliver(fmt.Sprintf("From: %s\nSubject: %s\n%s\n%s\n", m.from, m.subject, m.more, strings.Repeat("x", 100*i)))
	}
	c := b.text("SELECT INBOX")
	c.want("SORT (FROM) UTF-8 ALL", "SORT 2 3 4 1")
	c.want("UID SORT (SUBJECT REVERSE DATE) UTF-8 ALL", "SORT 3 4 2 1")
	c.want("SORT (REVERSE SIZE) UTF-8 FROM a.tg NOT SUBJECT agenda", "SORT 4 2 1")
	c.want("SORT (DISPLAYFROM) UTF-8 ALL", "SORT 2 3 4 1")
	c.want("SORT RETURN (COUNT ALL MIN) (DATE) UTF-8 ALL", `ESEARCH (TAG "a6") MIN 3 COUNT 4 ALL 3,1:2,4`)
	c.want("THREAD REFERENCES UTF-8 ALL", "THREAD (3)(1 2 4)")
	c.want("UID THREAD ORDEREDSUBJECT UTF-8 ALL", "THREAD (3)(1 (2)(4))")
	c.refused("THREAD NONE UTF-8 ALL", "BAD")
	c.refused("SORT (NONSENSE) UTF-8 ALL", "BAD")
}

func TestReplace(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(hello)
	b.deliver(hello)
	c := b.text("SELECT INBOX")
	c.send("REPLACE 1 Drafts (\\Draft) {12+}\r\nSubject: x\r\n")
	var got []string
	for len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "a2 ") {
		got = append(got, c.line())
	}
	if len(got) != 3 || !strings.HasPrefix(got[0], "* OK [APPENDUID ") || got[1] != "* 1 EXPUNGE" || got[2] != "a2 OK REPLACE completed" {
		t.Errorf("%q", got)
	}
	c.want("STATUS Drafts (MESSAGES)", "STATUS Drafts (MESSAGES 1)")
	c.refused("UID REPLACE 1 Drafts {3+}\r\nx:y", "NO [NONEXISTENT]")
	c.refused("REPLACE 2 Drafts {3+}\r\nx:y", "BAD")
	c.refused("REPLACE 1 Nowhere {3+}\r\nx:y", "NO [TRYCREATE]")
	c.want("UID SEARCH ALL", "SEARCH 2")
}

func TestQResync(t *testing.T) {
	b := newBed(t, 0)
	for range 5 {
		b.deliver(hello)
	}
	c := b.text("ENABLE QRESYNC", "SELECT INBOX")
	status := strings.Join(c.ok("STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ)"), "")
	var validity, modseq int
	if _, err := fmt.Sscanf(status, "STATUS INBOX (UIDVALIDITY %d HIGHESTMODSEQ %d)", &validity, &modseq); err != nil {
		t.Fatal(status, err)
	}
	other := b.text("SELECT INBOX", `STORE 2,4 +FLAGS (\Deleted)`, "EXPUNGE", `UID STORE 5 +FLAGS (\Seen)`)
	got := c.ok("NOOP")
	if len(got) != 2 || got[0] != "VANISHED 2,4" || !strings.HasPrefix(got[1], `3 FETCH (UID 5 FLAGS (\Seen) MODSEQ (`) {
		t.Errorf("NOOP: %q", got)
	}
	again := b.text("ENABLE QRESYNC")
	got = again.ok(fmt.Sprintf("SELECT INBOX (QRESYNC (%d %d 1:4))", validity, modseq))
	if all := strings.Join(got, "\n"); !strings.Contains(all, "\nVANISHED (EARLIER) 2,4") || strings.Contains(all, "FETCH") {
		t.Errorf("SELECT with known UIDs:\n%s", all)
	}
	got = again.ok(fmt.Sprintf("SELECT INBOX (QRESYNC (%d %d))", validity, modseq))
	if all := strings.Join(got, "\n"); !strings.Contains(all, "\nVANISHED (EARLIER) 2,4\n3 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (") || !strings.Contains(all, "OK [CLOSED]") {
		t.Errorf("SELECT:\n%s", all)
	}
	got = again.ok(fmt.Sprintf("SELECT INBOX (QRESYNC (%d %d))", validity+1, modseq))
	if all := strings.Join(got, "\n"); strings.Contains(all, "VANISHED") || strings.Contains(all, "FETCH") {
		t.Errorf("SELECT with another UIDVALIDITY:\n%s", all)
	}
	got = again.ok(fmt.Sprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)", modseq))
	if all := strings.Join(got, "\n"); !strings.HasPrefix(all, "VANISHED (EARLIER) 2,4\n3 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (") || len(got) != 2 {
		t.Errorf("UID FETCH:\n%s", all)
	}
	_, refused := again.do(fmt.Sprintf(`UID STORE 1,5 (UNCHANGEDSINCE %d) +FLAGS.SILENT (\Flagged)`, modseq))
	if !strings.HasPrefix(refused, "OK [MODIFIED 5]") {
		t.Error(refused)
	}
	other.refused("SELECT INBOX (QRESYNC (1 1))", "BAD")
}

func TestMessageLimit(t *testing.T) {
	b := newBed(t, 0)
	b.server.options.MessageLimit = 2
	for range 4 {
		b.deliver(hello)
	}
	c := b.text("SELECT INBOX")
	got, status := c.do("FETCH 1:4 UID")
	if len(got) != 2 || got[0] != "3 FETCH (UID 3)" || status != "OK [MESSAGELIMIT 2 3] FETCH completed" {
		t.Errorf("%q %q", got, status)
	}
	c.want("FETCH 1:2 UID", "1 FETCH (UID 1)", "2 FETCH (UID 2)")
	if got, status := c.do("SEARCH UNSEEN"); len(got) != 1 || got[0] != "SEARCH 3 4" || !strings.HasPrefix(status, "OK [MESSAGELIMIT 2 3]") {
		t.Errorf("%q %q", got, status)
	}
}
