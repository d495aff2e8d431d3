package e2e

import (
	"strings"
	"testing"

	"gouv.tg/messagerie/test/conformance/imap"
	"gouv.tg/messagerie/test/harness"
)

// offered are the capabilities that agents' programs may count on; the scripts of each run.
const offered = "IMAP4REV1 IMAP4REV2 LITERAL+ SASL-IR ID ENABLE IDLE UTF8=ACCEPT NAMESPACE CHILDREN LIST-EXTENDED LIST-STATUS LIST-MYRIGHTS " +
	"LIST-METADATA SPECIAL-USE CREATE-SPECIAL-USE UIDPLUS MOVE UNSELECT CONDSTORE QRESYNC ESEARCH SEARCHRES WITHIN SEARCH=FUZZY SORT SORT=DISPLAY " +
	"ESORT THREAD=REFERENCES THREAD=ORDEREDSUBJECT BINARY MULTIAPPEND CATENATE REPLACE QUOTA ACL METADATA STATUS=SIZE " +
	"OBJECTID PREVIEW SAVEDATE PARTIAL UIDONLY INPROGRESS UNAUTHENTICATE AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS"

// TestConformance holds the whole road, gateway and cell, against the RFCs.
func TestConformance(t *testing.T) {
	ministry := harness.NewMinistry("norms", 2, 0)
	i := harness.Up(t, ministry)
	status, err := i.Status(harness.Context(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	config, err := status.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	one, two := ministry.Accounts[0], ministry.Accounts[1]
	imap.Run(t, imap.Target{
		Addr: status.Endpoints["imaps"], TLS: config, PlainAddr: status.Endpoints["imap"], Must: strings.Fields(offered),
		User: one.Address, Password: one.Password, User2: two.Address, Password2: two.Password,
	})
}
