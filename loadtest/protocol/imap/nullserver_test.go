package imap

import (
	"errors"
	"slices"
	"testing"

	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/wire"
)

// TestCondstore uses what go-imap's server has not.
func TestCondstore(t *testing.T) {
	server, err := nullserver.Start(nullserver.Options{CondStore: true, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c, err := Dial(background(t), &wire.Dialer{}, server.Endpoints()["imap"], Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect()
	ctx := background(t)
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	check("login", c.Login(ctx, "ama@x.tg", "x"))
	for range 5 {
		validity, uid, err := c.Append(ctx, "INBOX", nil, []byte("Subject: x\r\n\r\nx\r\n"))
		check("append", err)
		if validity == 0 || uid == 0 {
			t.Errorf("APPENDUID %d %d", validity, uid)
		}
	}
	s, err := c.Select(ctx, "INBOX", true)
	check("select", err)
	if s.HighestModSeq == 0 || s.Exists != 5 {
		t.Errorf("selected %+v", s)
	}
	uids, err := c.Search(ctx, "ALL", true)
	check("search", err)
	if len(uids) != 5 {
		t.Fatalf("found %v", uids)
	}
	before, err := c.Fetch(ctx, "1:*", "(UID MODSEQ)", false)
	check("fetch", err)
	after, err := c.Store(ctx, "1:3", "+FLAGS", []string{`\Seen`}, false, s.HighestModSeq)
	check("store", err)
	if len(after) != 3 || after[0].ModSeq <= before[0].ModSeq {
		t.Errorf("modseq %d, before %d", after[0].ModSeq, before[0].ModSeq)
	}
	var modified *Error
	if _, err = c.Store(ctx, "3:4", "-FLAGS", []string{`\Seen`}, false, s.HighestModSeq); !errors.As(err, &modified) || modified.Code != "MODIFIED 3" {
		t.Errorf("error %v", err)
	}
	create := c.begin(ctx, "CREATE")
	create.mailbox("Corbeille à papier")
	check("create", create.end())
	names, err := c.List(ctx, "C*")
	check("list", err)
	if !slices.Equal(names, []string{"Corbeille à papier"}) {
		t.Fatalf("mailboxes %q", names)
	}
	status, err := c.Status(ctx, "INBOX", "MESSAGES", "HIGHESTMODSEQ")
	check("status", err)
	if status["MESSAGES"] != 5 || status["HIGHESTMODSEQ"] <= s.HighestModSeq {
		t.Errorf("status %v", status)
	}
	check("logout", c.Logout(ctx))
}
