package imap

import (
	"fmt"
	"strings"
	"testing"
)

func TestQuota(t *testing.T) {
	b := newBed(t, 3*1024)
	c := b.text()
	const name = `"` + owner + `"`
	c.want("GETQUOTAROOT INBOX", "QUOTAROOT INBOX "+name, "QUOTA "+name+" (STORAGE 0 3 MAILBOX 6 5000)")
	c.add("INBOX", "", "Subject: x\n\n"+strings.Repeat("x", 1100))
	c.want("GETQUOTA "+name, "QUOTA "+name+" (STORAGE 2 3 MAILBOX 6 5000)")
	c.ok("CREATE More")
	c.want("GETQUOTA "+strings.ToUpper(name), "QUOTA "+name+" (STORAGE 2 3 MAILBOX 7 5000)")
	if status := c.append("More", "", "Subject: x\n\n"+strings.Repeat("x", 2000)); !strings.HasPrefix(status, "NO [OVERQUOTA]") {
		t.Error(status)
	}
	c.add("More", `(\Deleted) `, "Subject: x\n\n"+strings.Repeat("x", 1900))
	c.want("GETQUOTA "+name, "QUOTA "+name+" (STORAGE 3 3 MAILBOX 7 5000)")
	c.want("STATUS More (DELETED-STORAGE)", "STATUS More (DELETED-STORAGE 1914)")
	// The mailbox need not exist (RFC 9208, 4.1.2).
	c.want("GETQUOTAROOT Nowhere", "QUOTAROOT Nowhere "+name, "QUOTA "+name+" (STORAGE 3 3 MAILBOX 7 5000)")
	for _, test := range []struct{ command, want string }{
		{"GETQUOTA " + colleague, "NO [NONEXISTENT]"},
		{`GETQUOTA ""`, "NO [NONEXISTENT]"},
		{"GETQUOTA", "BAD"},
		{"GETQUOTAROOT", "BAD"},
		{"SETQUOTA " + name + " (STORAGE 1000000)", "NO [NOPERM]"},
		{"SETQUOTA " + name + " (STORAGE)", "BAD"},
		{"SETQUOTA " + name, "BAD"},
	} {
		c.refused(test.command, test.want)
	}
}

func TestQuotaWithoutLimit(t *testing.T) {
	b := newBed(t, 0)
	b.text().want("GETQUOTAROOT INBOX", `QUOTAROOT INBOX "`+owner+`"`, `QUOTA "`+owner+`" (MAILBOX 6 5000)`)
}

// A message in another's mailbox takes its owner's room; how much of it there is stays between them.
func TestQuotaOfSharedMailbox(t *testing.T) {
	b := newBed(t, 1024)
	mine, c := b.share("lri")
	c.want("GETQUOTAROOT "+shared, "QUOTAROOT "+shared)
	c.add("INBOX", "", "Subject: x\n\n"+strings.Repeat("x", 2000))
	c.ok("SELECT INBOX")
	c.refused("COPY 1 "+shared, "NO [OVERQUOTA]")
	c.refused("MOVE 1 "+shared, "NO [OVERQUOTA]")
	c.add(shared, "", "Subject: x\n\n"+strings.Repeat("x", 1000))
	mine.want("GETQUOTA "+owner, fmt.Sprintf(`QUOTA "%s" (STORAGE 1 1 MAILBOX 7 5000)`, owner))
	mine.ok("SETACL Dossiers " + colleague + " li")
	c.refused("GETQUOTAROOT "+shared, "NO [NOPERM]")
	mine.ok("SETACL Dossiers " + colleague + " i")
	c.refused("GETQUOTAROOT "+shared, "NO [NONEXISTENT]")
	c.refused(`GETQUOTAROOT "Other Users/`+owner+`/Nowhere"`, "NO [NONEXISTENT]")
}
