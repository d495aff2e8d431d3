package wire

import "strconv"

// Tag begins the next command and returns its tag. What is left of the command before is skipped. io.EOF tells that the
// client left between commands.
func (r *Reader) Tag() (string, error) {
	if err := r.Discard(); err != nil {
		return "", err
	}
	r.line, r.literals, r.depth, r.items = 0, 0, 0, 0
	if err := r.next(); err != nil {
		return "", err
	}
	r.open = true
	tag := r.take(classTag)
	if len(tag) == 0 {
		return "", Bad("tag is missing")
	}
	return string(tag), nil
}

// Answer returns a line that is no command: a client's part of AUTHENTICATE, or DONE of IDLE. It may be called while a
// command's arguments have been read up to CRLF. The bytes are valid until the next call.
func (r *Reader) Answer() ([]byte, error) {
	r.line = 0
	if err := r.next(); err != nil {
		return nil, err
	}
	line := r.buf[r.pos:r.eol]
	r.pos = r.eol
	return line, nil
}

// take returns the longest run of a class of characters. The bytes are valid until the next line is read.
func (r *Reader) take(class uint8) []byte {
	i := r.pos
	for i < r.eol && classes[r.buf[i]]&class != 0 {
		i++
	}
	b := r.buf[r.pos:i]
	r.pos = i
	return b
}

// Peek returns the next byte of the line, '\n' at its end.
func (r *Reader) Peek() byte {
	if r.pos < r.eol {
		return r.buf[r.pos]
	}
	return '\n'
}

// Accept takes c if it is next.
func (r *Reader) Accept(c byte) bool {
	if r.pos < r.eol && r.buf[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

// Expect takes c, which must be next.
func (r *Reader) Expect(c byte) error {
	if r.Accept(c) {
		return nil
	}
	if c == ' ' {
		return Bad("space is missing")
	}
	return Bad(strconv.QuoteRune(rune(c)) + " is missing")
}

// SP takes one space.
func (r *Reader) SP() error { return r.Expect(' ') }

// CRLF ends the command.
func (r *Reader) CRLF() error {
	if r.pos != r.eol {
		return Bad("command has too many arguments")
	}
	r.open = false
	return nil
}

// Atom takes an atom.
func (r *Reader) Atom() (string, error) {
	atom := r.take(classAtom)
	if len(atom) == 0 {
		return "", Bad("atom is missing")
	}
	return string(atom), nil
}

// Keyword takes a word of the grammar (letters, digits, ".", "-", "_") and returns it in capitals. It is empty if there is
// none. The bytes are valid until the next token.
func (r *Reader) Keyword() []byte {
	word := r.take(classKeyword)
	for i, c := range word {
		if 'a' <= c && c <= 'z' {
			word[i] = c - 'a' + 'A'
		}
	}
	return word
}

// Enter counts one more level of what may be within itself; Leave ends it.
func (r *Reader) Enter() error {
	if r.depth == r.limits.Depth {
		return Bad("command is nested too deeply")
	}
	r.depth++
	return nil
}

// Leave ends a level that Enter began.
func (r *Reader) Leave() { r.depth-- }

// Item counts one more member of a list or set.
func (r *Reader) Item() error {
	if r.items == r.limits.Items {
		return Bad("command has too many items")
	}
	r.items++
	return nil
}

// List takes a parenthesised list: item takes each of its members. An empty list is one without members.
func (r *Reader) List(item func() error) error {
	if err := r.Expect('('); err != nil {
		return err
	}
	if r.Accept(')') {
		return nil
	}
	if err := r.Enter(); err != nil {
		return err
	}
	for {
		if err := r.Item(); err != nil {
			return err
		}
		if err := item(); err != nil {
			return err
		}
		if r.Accept(')') {
			r.Leave()
			return nil
		}
		if err := r.SP(); err != nil {
			return Bad("list is not closed")
		}
	}
}

// Follows tells whether the line goes on with text, which is in capitals, in any case.
func (r *Reader) Follows(text string) bool {
	if r.eol-r.pos < len(text) {
		return false
	}
	for i := range len(text) {
		c := r.buf[r.pos+i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != text[i] {
			return false
		}
	}
	return true
}

// Rest takes the rest of the line. The bytes are valid until the next line is read.
func (r *Reader) Rest() []byte {
	b := r.buf[r.pos:r.eol]
	r.pos = r.eol
	return b
}
