package imap

import (
	"strconv"
	"strings"

	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
)

// storeArguments is " 1:3 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\Seen)" (RFC 3501, 6.4.6; RFC 7162, 3.1.3).
func (p *parser) storeArguments() (set mailbox.Set, c mailbox.Change, silent bool, err error) {
	if set, err = p.set(); err != nil || !p.take(' ') {
		return nil, c, false, errSyntax
	}
	if p.take('(') {
		if upper(p.word(atomSpecials)) != "UNCHANGEDSINCE" || !p.take(' ') {
			return nil, c, false, errSyntax
		}
		c.Conditional = true
		if c.UnchangedSince, err = p.number(); err != nil || !p.take(')') || !p.take(' ') {
			return nil, c, false, errSyntax
		}
	}
	var name string
	name, silent = strings.CutSuffix(upper(p.word(atomSpecials)), ".SILENT")
	switch name {
	case "FLAGS":
		c.Action = mailbox.Replace
	case "+FLAGS":
		c.Action = mailbox.Add
	case "-FLAGS":
		c.Action = mailbox.Remove
	default:
		return nil, c, false, errSyntax
	}
	if !p.take(' ') {
		return nil, c, false, errSyntax
	}
	if c.Flags, err = p.flags(); err != nil || !p.end() {
		return nil, c, false, errSyntax
	}
	return set, c, silent, nil
}

func (x *session) store(p *parser, uid bool) (string, error) {
	set, change, silent, err := p.storeArguments()
	if err != nil {
		return "", err
	}
	if x.readOnly {
		return "", refusal("mailbox is open read-only")
	}
	if change.Conditional {
		if !x.CondStore {
			return "", errSyntax
		}
		x.condstore = true
	}
	var modified []uint32
	x.view.Each(set, uid, func(seq uint32, m *mailbox.Message) bool {
		var buffer [128]byte
		flags, modseq, changed, failed := x.view.Store(buffer[:0], m, change)
		switch {
		case failed != nil:
			err = failed
			return false
		case changed && uid:
			modified = append(modified, m.UID)
		case changed:
			modified = append(modified, seq)
		case flags != nil && (!silent || x.condstore):
			x.stored(seq, m.UID, flags, modseq, uid, silent)
		}
		if x.c.FlushLong() != nil {
			x.leaving = true
		}
		return !x.leaving
	})
	if err != nil {
		return "", err
	}
	if len(modified) > 0 {
		return "OK [MODIFIED " + string(mailbox.AppendUIDs(nil, modified)) + "] changed meanwhile", nil
	}
	return "OK done", nil
}

func (x *session) stored(seq, uid uint32, flags []byte, modseq uint64, withUID, silent bool) {
	out := append(strconv.AppendUint(append(x.c.Out, "* "...), uint64(seq), 10), " FETCH ("...)
	if withUID {
		out = append(strconv.AppendUint(append(out, "UID "...), uint64(uid), 10), ' ')
	}
	if !silent {
		out = append(append(append(out, "FLAGS ("...), flags...), ") "...)
	}
	if x.condstore {
		out = append(strconv.AppendUint(append(out, "MODSEQ ("...), modseq, 10), ") "...)
	}
	x.c.Out = append(out[:len(out)-1], ")\r\n"...)
}

func (x *session) expunge(p *parser) (string, error) {
	if !p.end() {
		return "", errSyntax
	}
	return x.expungeSet(nil)
}

// uidExpunge is of RFC 4315, 2.1.
func (x *session) uidExpunge(p *parser) (string, error) {
	set, err := p.set()
	if err != nil || !p.end() {
		return "", errSyntax
	}
	return x.expungeSet(set)
}

func (x *session) expungeSet(uids mailbox.Set) (string, error) {
	if x.readOnly {
		return "", refusal("mailbox is open read-only")
	}
	x.view.Expunge(uids)
	return "OK done", nil
}

// copy is COPY and MOVE (RFC 3501, 6.4.7; RFC 6851).
func (x *session) copy(p *parser, uid, move bool) (string, error) {
	set, err := p.set()
	if err != nil {
		return "", err
	}
	name, err := p.mailbox()
	if err != nil || !p.end() {
		return "", errSyntax
	}
	if move && x.readOnly {
		return "", refusal("mailbox is open read-only")
	}
	to := x.account.Mailbox(name)
	if to == nil {
		return "", refusal("[TRYCREATE] no such mailbox")
	}
	copied, err := x.view.Copy(set, uid, to, move)
	if len(copied.From) == 0 {
		return "OK nothing there", err
	}
	code := strconv.AppendUint([]byte("[COPYUID "), uint64(to.Validity()), 10)
	code = mailbox.AppendUIDs(append(code, ' '), copied.From)
	code = mailbox.AppendUIDs(append(code, ' '), copied.To)
	code = append(code, "] "...)
	if move { // before the EXPUNGEs (RFC 6851, 4.3)
		x.untagged("OK ", string(code), "moved")
		return "OK done", err
	}
	return "OK " + string(code) + "copied", err
}
