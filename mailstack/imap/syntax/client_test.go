package syntax

import (
	"net"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// answers is a server that says the same to everybody: what it writes before each command's OK.
type answers map[string]func(w *wire.Writer, tag string)

func (a answers) serve(conn net.Conn) {
	defer conn.Close()
	w := wire.NewWriter(conn)
	r := wire.NewReader(conn, wire.Limits{}, func(text string) error {
		w.Raw("+ ")
		w.Text(text)
		w.CRLF()
		return w.Flush()
	})
	w.Raw("* OK [CAPABILITY IMAP4rev1 ESEARCH NAMESPACE LIST-EXTENDED LIST-STATUS QUOTA METADATA] ready\r\n")
	for w.Flush() == nil {
		tag, err := r.Tag()
		if err != nil {
			return
		}
		name, err := Command(r)
		if err == nil {
			_, _, err = parse(name, r)
		}
		if err != nil {
			w.Raw(tag + " BAD ")
			w.Text(err.Error())
			w.CRLF()
			continue
		}
		if write, ok := a[name]; ok {
			write(w, tag)
		}
		w.Raw(tag + " OK done\r\n")
	}
}

// TestClient lets another implementation of the protocol send commands and read responses.
func TestClient(t *testing.T) {
	items := StatusMessages | StatusUIDNext
	server := answers{
		"FETCH": func(w *wire.Writer, _ string) {
			w.Raw("* 1 FETCH (BODY")
			WriteSection(w, &Section{Specifier: imap.PartSpecifierHeader, Fields: []string{"Subject"}})
			w.SP()
			w.LiteralBytes([]byte("Subject: x\r\n\r\n"))
			w.Raw(")\r\n")
		},
		"LIST": func(w *wire.Writer, _ string) {
			WriteList(w, ListResponse{Attrs: []imap.MailboxAttr{imap.MailboxAttrHasNoChildren}, Delimiter: '/', Mailbox: "Reçus/&", ChildInfo: []string{"SUBSCRIBED"}})
			WriteStatus(w, StatusResponse{Mailbox: "Reçus/&", Items: items, Messages: 3, UIDNext: 9})
		},
		"NAMESPACE": func(w *wire.Writer, _ string) {
			WriteNamespace(w, imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Delim: '/'}}})
		},
		"SEARCH": func(w *wire.Writer, tag string) {
			WriteESearch(w, ESearchResponse{Tag: tag, Min: 1, Count: 2, HasCount: true, All: []uint32{1, 3}})
		},
		"GETQUOTA": func(w *wire.Writer, _ string) { WriteQuota(w, "", []QuotaUsage{{"STORAGE", 1, 2}}) },
		"GETMETADATA": func(w *wire.Writer, _ string) {
			WriteMetadata(w, "INBOX", []MetadataEntry{{Name: "/private/comment", Value: "é\r\n"}, {Name: "/shared/x", Null: true}})
		},
		"SELECT": func(w *wire.Writer, _ string) {
			w.Raw("* 3 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 4] x\r\n")
		},
	}
	near, far := net.Pipe()
	go server.serve(far)
	c := imapclient.New(near, nil)
	defer c.Close()

	comment := []byte("é\r\n") // as a literal that waits
	if err := c.SetMetadata("INBOX", map[string]*[]byte{"/private/comment": &comment}).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Select("Reçus", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	messages, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{
		BodySection: []*imap.FetchItemBodySection{{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"Subject"}, Peek: true}}}).Collect()
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	m := messages[0]
	if len(m.BodySection) != 1 || string(m.BodySection[0].Bytes) != "Subject: x\r\n\r\n" {
		t.Errorf("sections are %+v", m.BodySection)
	}

	list, err := c.List("", "*", &imap.ListOptions{SelectSubscribed: true, SelectRecursiveMatch: true,
		ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDNext: true}}).Collect()
	if err != nil || len(list) != 1 || list[0].Mailbox != "Reçus/&" || list[0].ChildInfo == nil || list[0].Status == nil ||
		*list[0].Status.NumMessages != 3 || list[0].Status.UIDNext != 9 {
		t.Errorf("list is %+v, %v", list, err)
	}
	if n, err := c.Namespace().Wait(); err != nil || len(n.Personal) != 1 || n.Personal[0].Delim != '/' {
		t.Errorf("namespaces are %+v, %v", n, err)
	}
	found, err := c.Search(&imap.SearchCriteria{
		Not: []imap.SearchCriteria{{Flag: []imap.Flag{imap.FlagSeen}}}, Since: time.Now(), Larger: 5, Body: []string{"é"},
		Or: [][2]imap.SearchCriteria{{{UID: []imap.UIDSet{imap.UIDSetNum(1, 2)}}, {Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "x"}}}}},
	}, &imap.SearchOptions{ReturnMin: true, ReturnAll: true, ReturnCount: true}).Wait()
	if err != nil || found.Min != 1 || found.Count != 2 || found.All.String() != "1,3" {
		t.Errorf("found %+v, %v", found, err)
	}
	if q, err := c.GetQuota("").Wait(); err != nil || q.Resources[imap.QuotaResourceStorage].Limit != 2 {
		t.Errorf("quota is %+v, %v", q, err)
	}
	metadata, err := c.GetMetadata("INBOX", []string{"/private/comment"}, &imapclient.GetMetadataOptions{Depth: imapclient.GetMetadataDepthOne}).Wait()
	if err != nil || metadata.Entries["/private/comment"] == nil || string(*metadata.Entries["/private/comment"]) != "é\r\n" {
		t.Errorf("metadata is %+v, %v", metadata, err)
	}
	upload := c.Append("x", 3, &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}, Time: time.Now()})
	if _, err := upload.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := upload.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := upload.Wait(); err != nil {
		t.Error(err)
	}
	if err := c.Logout().Wait(); err != nil {
		t.Error(err)
	}
}
