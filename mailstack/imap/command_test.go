package imap

import (
	"fmt"
	"strings"
	"testing"
)

// Every command is counted once, by its result.
func TestCommandsAreCounted(t *testing.T) {
	b := newBed(t, 0)
	b.deliver("Subject: trap\n\nx\n")
	// Bodies that, however they are cut into writes, must not be taken for responses.
	b.deliver("Subject: trap\n\n" + strings.Repeat("a1 OK NOOP completed\n", 1000))
	b.deliver("Subject: trap\n\n" + strings.Repeat("NO ", 2000))
	c := b.text("CAPABILITY", "NOOP", "NOOP", "NAMESPACE", `LIST "" *`, "STATUS INBOX (MESSAGES)", "EXAMINE INBOX", "SELECT INBOX",
		"FETCH 1:3 (UID BODY.PEEK[])", "UID FETCH 1:2 (FLAGS)", `STORE 1 +FLAGS (\Seen)`, `UID STORE 1 -FLAGS.SILENT (\Seen)`,
		"SEARCH ALL", "UID SEARCH UNSEEN", "CREATE Here", "COPY 1 Here", "UID MOVE 1 Here", "EXPUNGE", "UID EXPUNGE 1:9", "CHECK",
		"SUBSCRIBE Here", "ENABLE IMAP4rev2")
	if status := c.append("INBOX", "", "Subject: x\n\nx\n"); !strings.HasPrefix(status, "OK") {
		t.Fatal(status)
	}
	c.refused("SELECT Nowhere", "NO")
	c.refused("SELECT INBOX", "OK") // the SELECT that failed left none selected
	c.refused("FETCH 1 (NONSENSE)", "BAD")
	c.refused("NONSENSE", "BAD")
	if status := c.append("Nowhere", "", "x: y\n\n"); !strings.HasPrefix(status, "NO") {
		t.Fatal(status)
	}
	tag := c.send("IDLE")
	c.line()
	b.deliver(hello)
	for !strings.HasSuffix(c.line(), "EXISTS") {
	}
	if got := b.server.Commands().Get("IDLE", "ok"); got != 1 {
		t.Errorf("IDLE is under way and counted %d times", got)
	}
	fmt.Fprint(c.conn, "DONE\r\n")
	for !strings.HasPrefix(c.line(), tag+" OK") {
	}
	if got := b.server.Pushed(); got != 1 {
		t.Errorf("pushed %d", got)
	}
	c.send("LOGOUT")
	for !strings.HasSuffix(c.line(), "LOGOUT completed") {
	}
	want := map[[2]string]int64{
		{"CAPABILITY", "ok"}: 1, {"NOOP", "ok"}: 2, {"NAMESPACE", "ok"}: 1, {"LIST", "ok"}: 1, {"STATUS", "ok"}: 1,
		{"EXAMINE", "ok"}: 1, {"SELECT", "ok"}: 2, {"SELECT", "no"}: 1, {"FETCH", "ok"}: 2, {"STORE", "ok"}: 2,
		{"SEARCH", "ok"}: 2, {"CREATE", "ok"}: 1, {"COPY", "ok"}: 1, {"MOVE", "ok"}: 1, {"EXPUNGE", "ok"}: 2, {"CHECK", "ok"}: 1,
		{"SUBSCRIBE", "ok"}: 1, {"ENABLE", "ok"}: 1, {"APPEND", "ok"}: 1, {"APPEND", "no"}: 1, {"IDLE", "ok"}: 1,
		{"LOGOUT", "ok"}: 1, {"OTHER", "bad"}: 1, {"FETCH", "bad"}: 1, {"FETCH", "no"}: 0, {"OTHER", "no"}: 0,
	}
	for key, n := range want {
		if got := b.server.Commands().Get(key[0], key[1]); got != n {
			t.Errorf("%v counted %d times, want %d", key, got, n)
		}
	}
}
