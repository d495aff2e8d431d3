package imap

import (
	"fmt"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/store"
)

func TestMetadataOfMailbox(t *testing.T) {
	b := newBed(t, 0)
	c := b.text("CREATE Notes")
	c.want("SETMETADATA Notes (/private/comment \"mine\" /SHARED/Comment \"ours\")")
	c.want("GETMETADATA Notes /private/COMMENT", `METADATA Notes (/private/comment "mine")`)
	c.want("GETMETADATA Notes (/private/comment /shared/comment)", `METADATA Notes (/private/comment "mine" /shared/comment "ours")`)
	c.want("GETMETADATA Notes (/private/none /shared/comment)", `METADATA Notes (/shared/comment "ours" /private/none NIL)`)
	c.want("SETMETADATA Notes (/private/comment NIL /shared/comment \"\")")
	c.want("GETMETADATA Notes (/private/comment /shared/comment)", `METADATA Notes (/shared/comment "" /private/comment NIL)`)
	c.want("SETMETADATA Notes (/private/comment ~{3+}\r\n\x00\xff\n)")
	c.want("GETMETADATA Notes /private/comment", "METADATA Notes (/private/comment ~\x00\xff\n)")

	for i, name := range []string{"", "/a", "/a/b", "/aa"} {
		c.ok(fmt.Sprintf("SETMETADATA Notes (/shared/vendor/x%s %q)", name, strings.Repeat("v", i+1)))
	}
	c.want("GETMETADATA Notes /shared/vendor/x", `METADATA Notes (/shared/vendor/x "v")`)
	c.want("GETMETADATA (DEPTH 1) Notes /shared/vendor/x/a", `METADATA Notes (/shared/vendor/x/a "vv" /shared/vendor/x/a/b "vvv")`)
	c.want("GETMETADATA (DEPTH 1) Notes /shared/vendor", `METADATA Notes (/shared/vendor/x "v")`)
	c.want("GETMETADATA Notes (DEPTH infinity) /shared/vendor",
		`METADATA Notes (/shared/vendor/x "v" /shared/vendor/x/a "vv" /shared/vendor/x/a/b "vvv" /shared/vendor/x/aa "vvvv")`)
	untagged, status := c.do("GETMETADATA (MAXSIZE 2 DEPTH infinity) Notes /shared/vendor")
	if len(untagged) != 1 || untagged[0] != `METADATA Notes (/shared/vendor/x "v" /shared/vendor/x/a "vv")` ||
		!strings.HasPrefix(status, "OK [METADATA LONGENTRIES 4]") {
		t.Errorf("%q %q", untagged, status)
	}
	untagged, status = c.do("GETMETADATA (MAXSIZE 0) Notes /shared/vendor/x")
	if len(untagged) != 0 || !strings.HasPrefix(status, "OK [METADATA LONGENTRIES 1]") {
		t.Errorf("%q %q", untagged, status)
	}
	// They move with the mailbox and end with it.
	c.ok("RENAME Notes Older")
	c.want("GETMETADATA Older /shared/vendor/x", `METADATA Older (/shared/vendor/x "v")`)
	c.ok("DELETE Older")
	c.ok("CREATE Older")
	c.want("GETMETADATA Older /shared/vendor/x", `METADATA Older (/shared/vendor/x NIL)`)
	// INBOX keeps what its messages take along.
	c.ok("SETMETADATA INBOX (/shared/comment \"in\")")
	c.ok("RENAME INBOX Past")
	c.want("GETMETADATA INBOX /shared/comment", `METADATA INBOX (/shared/comment "in")`)
	c.want("GETMETADATA Past /shared/comment", `METADATA Past (/shared/comment "in")`)
}

func TestMetadataRefused(t *testing.T) {
	b := newBed(t, 0)
	c := b.text("CREATE Notes", `SETMETADATA Notes (/private/comment "kept")`)
	literal := func(n int) string { return fmt.Sprintf("{%d+}\r\n%s", n, strings.Repeat("x", n)) }
	many := func(from, to int) string {
		var entries []string
		for i := from; i < to; i++ {
			entries = append(entries, fmt.Sprintf(`/private/vendor/x/%d "v"`, i))
		}
		return "SETMETADATA Notes (" + strings.Join(entries, " ") + ` /private/comment "changed")`
	}
	for _, test := range []struct{ command, want string }{
		{"GETMETADATA Nowhere /shared/comment", "NO [NONEXISTENT]"},
		{`SETMETADATA Nowhere (/shared/comment "x")`, "NO [NONEXISTENT]"},
		{"GETMETADATA Notes comment", "BAD"},
		{"GETMETADATA Notes /comment", "BAD"},
		{"GETMETADATA Notes /other/comment", "BAD"},
		{"GETMETADATA Notes /shared/%", "BAD"},
		{"GETMETADATA Notes ()", "BAD"},
		{"GETMETADATA (DEPTH 2) Notes /shared/comment", "BAD"},
		{"GETMETADATA (MAXSIZE x) Notes /shared/comment", "BAD"},
		{`SETMETADATA Notes (/private/comment "changed" /private//x "y")`, "BAD"},
		{`SETMETADATA Notes (/private/comment "changed" /private "y")`, "BAD"},
		{`SETMETADATA Notes (/private/comment "changed" /other/x "y")`, "BAD"},
		{`SETMETADATA Notes (/private/comment)`, "BAD"},
		{`SETMETADATA Notes ()`, "BAD"},
		{`SETMETADATA Notes (/private/comment "changed" /private/x ` + literal(store.MaxMetadataBytes+1) + `)`, "NO [METADATA MAXSIZE 65536]"},
		{many(0, 64), "NO [METADATA TOOMANY]"},
		{`SETMETADATA Notes (/shared/a ` + literal(60000) + ` /shared/b ` + literal(60000) + ` /shared/c ` + literal(60000) + `)`, "NO [METADATA TOOMANY]"},
		{`SETMETADATA "" (/private/comment "x" /shared/comment "y")`, "NO [NOPERM]"},
		{`SETMETADATA "" (/shared/admin NIL)`, "NO [NOPERM]"},
	} {
		if c.refused(test.command, test.want); t.Failed() {
			t.FailNow()
		}
	}
	c.want("GETMETADATA (DEPTH infinity) Notes (/private /shared)", `METADATA Notes (/private/comment "kept")`)
	c.want(`GETMETADATA "" /private/comment`, `METADATA "" (/private/comment NIL)`)
	c.ok(`SETMETADATA Notes (/private/x ` + literal(store.MaxMetadataBytes) + `)`)
	c.ok(`SETMETADATA Notes (/private/x NIL)`)
	c.ok(strings.Replace(many(0, 63), "changed", "kept", 1))
}

func TestMetadataOfServer(t *testing.T) {
	b := newBed(t, 0)
	c, other := b.text(), b.textOf(colleague)
	c.want(`SETMETADATA "" (/private/vendor/x/y "z")`)
	c.want(`GETMETADATA "" /private/vendor/x/y`, `METADATA "" (/private/vendor/x/y "z")`)
	other.want(`GETMETADATA "" /private/vendor/x/y`, `METADATA "" (/private/vendor/x/y NIL)`)
	err := b.store.SetMetadata(t.Context(), b.account(owner).ID, 0, []store.MetadataEntry{{Name: "/shared/admin", Value: []byte("mailto:aide@gouv.tg")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	other.want(`GETMETADATA "" (DEPTH infinity) /shared`, `METADATA "" (/shared/admin "mailto:aide@gouv.tg")`)
}

// RFC 5464, 3.3: the right to look up the mailbox and one of others.
func TestMetadataNeedsRights(t *testing.T) {
	b := newBed(t, 0)
	mine, c := b.share("")
	mine.ok(`SETMETADATA Dossiers (/private/comment "mine" /shared/comment "ours")`)
	for _, test := range []struct{ rights, get, private, shared string }{
		{"", "NO [NONEXISTENT]", "NO [NONEXISTENT]", "NO [NONEXISTENT]"},
		{"rswipkxtea", "NO [NONEXISTENT]", "NO [NONEXISTENT]", "NO [NONEXISTENT]"},
		{"l", "NO [NOPERM]", "NO [NOPERM]", "NO [NOPERM]"},
		{"lkxtea", "NO [NOPERM]", "NO [NOPERM]", "NO [NOPERM]"},
		{"lr", "OK", "OK", "NO [NOPERM]"},
		{"ls", "OK", "OK", "NO [NOPERM]"},
		{"li", "OK", "OK", "NO [NOPERM]"},
		{"lp", "OK", "OK", "NO [NOPERM]"},
		{"lw", "OK", "OK", "OK"},
	} {
		mine.ok(`SETACL Dossiers ` + colleague + ` "` + test.rights + `"`)
		c.refused("GETMETADATA "+shared+" /shared/comment", test.get)
		c.refused("SETMETADATA "+shared+` (/private/comment "theirs")`, test.private)
		c.refused("SETMETADATA "+shared+` (/shared/comment "ours")`, test.shared)
	}
	c.want("GETMETADATA "+shared+" (/private/comment /shared/comment)", "METADATA "+shared+` (/private/comment "theirs" /shared/comment "ours")`)
	mine.want("GETMETADATA Dossiers /private/comment", `METADATA Dossiers (/private/comment "mine")`)
}

func TestListMetadata(t *testing.T) {
	b := newBed(t, 0)
	c := b.text("CREATE X", "CREATE X/Y", "SUBSCRIBE X/Y", `SETMETADATA X/Y (/shared/comment "x")`)
	c.want(`LIST "" X* RETURN (METADATA (/shared/comment /private/comment))`,
		`LIST (\HasChildren) "/" X`, `METADATA X (/shared/comment NIL /private/comment NIL)`,
		`LIST (\HasNoChildren) "/" X/Y`, `METADATA X/Y (/shared/comment "x" /private/comment NIL)`)
	c.want(`LIST (SUBSCRIBED RECURSIVEMATCH) "" X RETURN (METADATA (/shared/comment))`,
		`LIST (\HasChildren) "/" X ("CHILDINFO" ("SUBSCRIBED"))`)
	c.refused(`LIST "" X* RETURN (METADATA (/other/comment))`, "BAD")
	c.refused(`LIST "" X* RETURN (METADATA ())`, "BAD")
	c.refused(`LIST "" X* RETURN (METADATA)`, "BAD")
}
