package imap

import "gouv.tg/messagerie/mailstack/imap/syntax"

// capabilities are what a session offers after the login; limits are added.
const capabilities = "IMAP4rev1 IMAP4rev2 " +
	"LITERAL+ IDLE NAMESPACE ID CHILDREN ACL RIGHTS=texk UIDPLUS UNSELECT SASL-IR ENABLE " + // RFCs 7888, 2177, 2342, 2971, 3348, 4314, 4315, 3691, 4959, 5161
	"ESEARCH SEARCHRES WITHIN SEARCH=FUZZY " + // RFCs 4731, 5182, 5032, 6203
	"LIST-EXTENDED LIST-STATUS LIST-MYRIGHTS LIST-METADATA METADATA NOTIFY SPECIAL-USE CREATE-SPECIAL-USE MOVE UTF8=ACCEPT " + // RFCs 5258, 5819, 8440, 9590, 5464, 5465, 6154, 6851, 6855
	"CONDSTORE QRESYNC BINARY MULTIAPPEND CATENATE REPLACE " + // RFCs 7162, 3516, 3502, 4469, 8508
	"COMPRESS=DEFLATE SORT SORT=DISPLAY ESORT THREAD=REFERENCES THREAD=ORDEREDSUBJECT " + // RFCs 4978, 5256, 5957, 5267
	"QUOTA QUOTA=RES-STORAGE QUOTA=RES-MAILBOX " + // RFC 9208
	"STATUS=SIZE OBJECTID SAVEDATE PREVIEW PARTIAL UIDONLY INPROGRESS UNAUTHENTICATE" // RFCs 8438, 8474, 8514, 8970, 9394, 9586, 9585, 8437

// capability is CAPABILITY (RFC 9051, 6.1.1).
func (s *Session) capability(*call) error {
	if err := syntax.ParseEnd(s.r); err != nil {
		return err
	}
	s.w.Raw("* CAPABILITY " + s.server.offer + "\r\n")
	return nil
}

// noop is NOOP (RFC 9051, 6.1.2) and CHECK (RFC 3501, 6.4.1): everything is on disk at all times.
func (s *Session) noop(*call) error { return syntax.ParseEnd(s.r) }

// logout is LOGOUT (RFC 9051, 6.1.3).
func (s *Session) logout(c *call) error {
	if err := syntax.ParseEnd(s.r); err != nil {
		return err
	}
	s.count(c, resultOK)
	s.w.Raw("* BYE Logging out\r\n")
	s.tagged(c, "OK", "", "")
	_ = s.w.Flush()
	s.end()
	return nil
}

// id is ID (RFC 2971). What the client is called is of no interest.
func (s *Session) id(*call) error {
	if _, err := syntax.ParseID(s.r); err != nil {
		return err
	}
	syntax.WriteID(s.w, []syntax.IDField{{Name: "name", Value: "Messagerie"}})
	return nil
}
