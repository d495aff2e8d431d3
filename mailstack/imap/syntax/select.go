package syntax

import (
	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// ParseSelect reads the arguments of SELECT and EXAMINE.
func ParseSelect(r *wire.Reader) (s Select, err error) {
	if s.Mailbox, err = spMailbox(r); err != nil {
		return s, err
	}
	if r.Accept(' ') {
		parameters := 0
		if err = r.List(func() error { parameters++; return s.parameter(r) }); err != nil {
			return s, err
		}
		if parameters == 0 {
			return s, wire.Bad("list of parameters is empty")
		}
	}
	return s, r.CRLF()
}

func (s *Select) parameter(r *wire.Reader) (err error) {
	switch word := r.Keyword(); string(word) {
	case "CONDSTORE":
		s.CondStore = true
	case "QRESYNC":
		if s.QResync != nil {
			return wire.Bad("QRESYNC is given twice")
		}
		if err = r.SP(); err == nil {
			s.QResync, err = qresync(r)
		}
	default:
		err = wire.BadFound("parameter of SELECT", string(word), "CONDSTORE, QRESYNC")
	}
	return err
}

// qresync takes "(uidvalidity modseq [known-uids] [(seqs uids)])" (RFC 7162, section 7).
func qresync(r *wire.Reader) (*QResync, error) {
	q, n := new(QResync), 0
	err := r.List(func() (err error) {
		n++
		switch {
		case n == 1:
			q.UIDValidity, err = r.NZNumber()
		case n == 2:
			q.ModSeq, err = r.Number64()
		case n == 3 && r.Peek() != '(':
			q.Known, err = knownUIDs(r)
		case n <= 4 && q.Seqs == nil:
			err = q.pairs(r)
		default:
			err = wire.Bad("QRESYNC has too many arguments")
		}
		return err
	})
	if err == nil && n < 2 {
		err = wire.Bad("QRESYNC has no mod-sequence")
	}
	return q, err
}

// pairs takes "(seqs uids)": sets of one length, without "*" (RFC 7162, section 3.2.5.2).
func (q *QResync) pairs(r *wire.Reader) (err error) {
	if err = r.Expect('('); err != nil {
		return err
	}
	if q.Seqs, err = r.SeqSet(); err != nil {
		return err
	}
	if err = r.SP(); err != nil {
		return err
	}
	if q.UIDs, err = knownUIDs(r); err != nil {
		return err
	}
	var seqs, uids uint64
	for _, x := range q.Seqs {
		seqs += uint64(x.Stop) - uint64(x.Start) + 1
	}
	for _, x := range q.UIDs {
		uids += uint64(x.Stop) - uint64(x.Start) + 1
	}
	if q.Seqs.Dynamic() || seqs != uids {
		return wire.Bad("QRESYNC has sequence numbers and UIDs that do not match")
	}
	return r.Expect(')')
}

func knownUIDs(r *wire.Reader) (imap.UIDSet, error) {
	set, err := r.UIDSet()
	if err == nil && set.Dynamic() {
		err = wire.Bad("QRESYNC has * among UIDs")
	}
	return set, err
}
