package imap

import (
	"strconv"
	"testing"
)

func TestSearch(t *testing.T) {
	b := newBed(t, 0)
	c := b.text("SELECT INBOX")
	for _, m := range []struct{ options, raw string }{
		{`(\Seen) "01-Oct-2026 23:30:00 +0100" `, hello},
		{`(\Flagged $Work) "15-Oct-2026 08:00:00 +0000" `, "From: \"Afi, Mensah\" <afi.mensah@finances.gouv.tg>\n" +
			"To: x@a.gouv.tg\nCc: Trésor <tresor@finances.gouv.tg>\n" +
			"Subject: =?ISO-8859-1?Q?R=E9union_budg=E9taire?=\nDate: Fri, 16 Oct 2026 00:30:00 +0200\n" +
			"X-Dossier: 2026/17\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n" +
			"La r=E9union est =\nreport=E9e.\n"},
		{`(\Answered) "31-Oct-2026 12:00:00 +0000" `, "From: a@b.tg\nSubject: attached\nDate: Sat, 31 Oct 2026 12:00:00 +0000\n" +
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nplain part\n--b\n" +
			"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\ncGxhaW4gc2VjcmV0\n--b\n" +
			"Content-Type: message/rfc822\n\nSubject: inner letter\n\ninner words\n--b\n" +
			"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\nPGI+Qm9uam91cjwvYj4=\n--b--\n"},
	} {
		if status := c.append("INBOX", m.options, m.raw); status[:2] != "OK" {
			t.Fatal(status)
		}
	}
	for _, test := range []struct{ criteria, want string }{
		{"ALL", " 1 2 3"}, {"1:2", " 1 2"}, {"2:*", " 2 3"}, {"*", " 3"}, {"7:9", ""}, {"UID 3,1", " 1 3"}, {"UID 99:*", " 3"},
		{"SEEN", " 1"}, {"UNSEEN", " 2 3"}, {"FLAGGED", " 2"}, {"UNANSWERED", " 1 2"}, {"KEYWORD $work", " 2"},
		{"UNKEYWORD $Work", " 1 3"}, {"RECENT", " 1 2 3"}, {"OLD", ""}, {"NEW", " 2 3"}, {"DELETED", ""},
		{"BEFORE 15-Oct-2026", " 1"}, {"ON 15-Oct-2026", " 2"}, {"SINCE 15-Oct-2026", " 2 3"}, {"ON 1-Oct-2026", " 1"},
		{"SENTON 16-Oct-2026", " 2"}, {"SENTBEFORE 16-Oct-2026", ""}, {"SENTSINCE 31-Oct-2026", " 1 3"},
		{"LARGER 300", " 2 3"}, {"SMALLER 300", " 1"},
		{"FROM kossi", " 1"}, {"FROM \"afi, mensah\"", " 2"}, {"TO FINANCES", " 1"}, {"CC tresor", " 2"}, {"BCC x", ""},
		{"CHARSET UTF-8 CC {7+}\r\nTrésor", " 2"}, {"CHARSET UTF-8 SUBJECT {8+}\r\nRÉUNION", " 2"},
		{"HEADER X-Dossier 17", " 2"}, {"HEADER X-Dossier \"\"", " 2"}, {"HEADER Message-ID sante", " 1"}, {"HEADER X-None \"\"", ""},
		{"CHARSET UTF-8 BODY {9+}\r\nreportée", " 2"}, {"BODY \"plain part\"", " 3"}, {"BODY secret", ""},
		{"BODY \"inner words\"", " 3"}, {"BODY bonjour", " 3"}, {"BODY Subject", " 3"}, {"TEXT hello", " 1"}, {"TEXT \"inner letter\"", " 3"},
		{"TEXT X-Dossier", " 2"}, {"BODY dossier", ""},
		{"NOT SEEN", " 2 3"}, {"OR SEEN ANSWERED", " 1 3"}, {"OR (SEEN FROM nobody) NOT (OR FLAGGED ANSWERED)", " 1"},
		{"SEEN FLAGGED", ""}, {"NOT 1:2", " 3"},
	} {
		c.want("SEARCH "+test.criteria, "SEARCH"+test.want)
	}
	c.want("UID SEARCH RETURN (MIN MAX COUNT) NOT SEEN", `ESEARCH (TAG "a`+tagOf(c)+`") UID MIN 2 MAX 3 COUNT 2`)
	c.want("SEARCH RETURN () UNSEEN", `ESEARCH (TAG "a`+tagOf(c)+`") ALL 2:3`)
	c.want("SEARCH RETURN (COUNT) DELETED", `ESEARCH (TAG "a`+tagOf(c)+`") COUNT 0`)
	c.ok("SEARCH RETURN (SAVE) UNSEEN")
	c.want("FETCH $ UID", "2 FETCH (UID 2)", "3 FETCH (UID 3)")
	c.want("SEARCH $ ANSWERED", "SEARCH 3")
	c.ok("SEARCH RETURN (SAVE MIN) UNSEEN")
	c.want("FETCH $ UID", "2 FETCH (UID 2)")
	c.ok("SEARCH RETURN (SAVE) DELETED")
	c.want("FETCH $ UID")
	c.refused("SEARCH CHARSET X-NONE ALL", "NO [BADCHARSET")
}

// tagOf is the number of the next tag.
func tagOf(c *text) string { return strconv.Itoa(c.n + 1) }
