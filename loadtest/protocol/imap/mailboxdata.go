package imap

import (
	"bytes"
	"strings"
)

// listed reads `LIST (\attributes) "/" name`, and passes over what RFC 5258 puts behind. Names that cannot be selected are left out.
func (p *parser) listed() {
	p.space()
	selectable := true
	p.list(func() {
		switch strings.ToLower(string(p.word())) {
		case `\noselect`, `\nonexistent`:
			selectable = false
		}
	})
	p.space()
	p.nstring() // the hierarchy separator
	p.space()
	name := p.astring()
	p.skipLine()
	if p.err == nil && p.wantNames && selectable {
		p.names = append(p.names, name)
	}
}

// mailboxStatus reads "STATUS name (item number …)". Items whose value is no number are passed over.
func (p *parser) mailboxStatus() {
	p.space()
	p.astring()
	p.space()
	p.list(func() {
		item := strings.ToUpper(string(p.word()))
		p.space()
		if b := p.peek(); b < '0' || b > '9' {
			p.skip(0)
			return
		}
		n := p.number(1<<63 - 1)
		if p.err != nil || !p.wantStatus {
			return
		}
		if p.status == nil {
			p.status = make(map[string]uint64)
		}
		p.status[item] = n
	})
	p.end()
}

// search reads "SEARCH n n n (MODSEQ n)".
func (p *parser) search() {
	for p.err == nil && p.accept(' ') && len(p.line) > 0 {
		if p.peek() == '(' {
			p.skip(0)
			continue
		}
		if n := p.nonZero(); p.wantNumbers {
			p.found = append(p.found, n)
		}
	}
	p.end()
}

// esearch reads `ESEARCH (TAG "A1") UID ALL 1:3,7 COUNT 4` (RFC 9051, 7.3.4). What belongs to another command is passed over.
func (p *parser) esearch() {
	ours := false
	if p.accept(' ') && p.peek() == '(' {
		p.list(func() {
			name := p.word()
			isTag := bytes.EqualFold(name, []byte("TAG"))
			p.space()
			if value := p.astring(); isTag && value == p.tag {
				ours = true
			}
		})
		p.accept(' ')
	}
	for p.err == nil && len(p.line) > 0 {
		switch name := strings.ToUpper(string(p.word())); {
		case name == "UID":
		case name == "ALL" && ours && p.wantNumbers:
			p.space()
			p.found = p.numbers(p.found)
		default:
			p.space()
			p.skip(0)
		}
		if !p.accept(' ') {
			break
		}
	}
	p.end()
}
