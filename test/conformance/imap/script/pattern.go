package script

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// PatKind says what a pattern matches.
type PatKind byte

// Kinds of patterns.
const (
	Word    PatKind = iota // bare: case-insensitively, an atom or a string
	Text                   // "quoted": exactly, an atom or a string
	Var                    // $name: captured, or what was captured
	Any                    // _: any one value
	Rest                   // ...: any further values
	Ordered                // ( ... )
	Loose                  // { ... }: in any order
	OneOf                  // <a|b>
	Numbers                // #1:3,5: the same numbers
	Match                  // ~"regexp"
	Moment                 // t"date-time": the same moment, in whatever zone
	Content                // @message: a message or a part of it
	Block                  // |: the block that follows
	Bracket                // [CODE ...]
	Not                    // !NAME in a list of items: must not be there
)

// Pat is a pattern.
type Pat struct {
	Kind     PatKind
	Text     string
	List     []Pat
	Optional bool // [CODE]?
}

func uses(pats []Pat, kind PatKind) bool {
	for _, p := range pats {
		if p.Kind == kind || uses(p.List, kind) {
			return true
		}
	}
	return false
}

type lexer struct {
	text string
	pos  int
}

func (r *reader) pattern(text string) []Pat {
	l := &lexer{text: text}
	pats := l.sequence(0)
	return pats
}

func (l *lexer) fail(what string) {
	panic(errors.New("pattern " + strconv.Quote(l.text) + " at " + strconv.Itoa(l.pos) + ": " + what))
}

// sequence reads patterns up to the closing octet, or the end of the text when it is 0.
func (l *lexer) sequence(closing byte) []Pat {
	pats := []Pat{}
	for {
		for l.pos < len(l.text) && l.text[l.pos] == ' ' {
			l.pos++
		}
		if l.pos == len(l.text) {
			if closing != 0 {
				l.fail("no closing " + string(closing))
			}
			return pats
		}
		if l.text[l.pos] == closing {
			l.pos++
			return pats
		}
		pats = append(pats, l.one())
	}
}

var (
	section = regexp.MustCompile(`^(?i)(BODY|BINARY|BINARY\.SIZE)\[[^\]]*\](<\d+>)?`)
	bare    = regexp.MustCompile(`^(?:\$\([^)]*\)|\$\{[^}]*\}|[^\s()\[\]{}<>|"])+`)
)

func (l *lexer) one() Pat {
	rest := l.text[l.pos:]
	take := func(n int) { l.pos += n }
	switch c := rest[0]; {
	case rest == "..." || strings.HasPrefix(rest, "...)") || strings.HasPrefix(rest, "... ") ||
		strings.HasPrefix(rest, "...]") || strings.HasPrefix(rest, "...}"):
		take(3)
		return Pat{Kind: Rest}
	case c == '(':
		take(1)
		return Pat{Kind: Ordered, List: l.sequence(')')}
	case c == '{':
		take(1)
		return Pat{Kind: Loose, List: l.sequence('}')}
	case c == '[':
		take(1)
		p := Pat{Kind: Bracket, List: l.sequence(']')}
		if strings.HasPrefix(l.text[l.pos:], "?") {
			take(1)
			p.Optional = true
		}
		return p
	case c == '<':
		take(1)
		p := Pat{Kind: OneOf}
		for {
			for l.text[l.pos] == ' ' {
				take(1)
			}
			p.List = append(p.List, l.one())
			for l.pos < len(l.text) && l.text[l.pos] == ' ' {
				take(1)
			}
			if l.pos == len(l.text) {
				l.fail("no closing >")
			}
			take(1)
			if l.text[l.pos-1] == '>' {
				return p
			}
		}
	case c == '"':
		return Pat{Kind: Text, Text: l.quoted()}
	case strings.HasPrefix(rest, `~"`):
		take(1)
		return Pat{Kind: Match, Text: l.quoted()}
	case strings.HasPrefix(rest, `t"`):
		take(1)
		return Pat{Kind: Moment, Text: l.quoted()}
	case c == '|' && (len(rest) == 1 || rest[1] == ')' || rest[1] == ' '):
		take(1)
		return Pat{Kind: Block}
	}
	not := rest[0] == '!' && len(rest) > 1
	if not {
		take(1)
		rest = rest[1:]
	}
	word := section.FindString(rest)
	if word != "" {
		word = strings.ToUpper(word)
		take(len(word))
	} else if word = bare.FindString(rest); word != "" {
		take(len(word))
	} else {
		l.fail("unexpected " + rest[:1])
	}
	switch {
	case not:
		return Pat{Kind: Not, Text: strings.ToUpper(word)}
	case word == "_":
		return Pat{Kind: Any}
	case word[0] == '#' && len(word) > 1:
		return Pat{Kind: Numbers, Text: word[1:]}
	case word[0] == '@' && len(word) > 1:
		return Pat{Kind: Content, Text: word[1:]}
	case isVariable(word):
		return Pat{Kind: Var, Text: word[1:]}
	}
	return Pat{Kind: Word, Text: word}
}

// isVariable: a dollar and a lower case name, so that keywords as $Forwarded are words.
func isVariable(word string) bool {
	if len(word) < 2 || word[0] != '$' || word[1] < 'a' || word[1] > 'z' {
		return false
	}
	return strings.Trim(word[1:], "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// quoted reads a quoted string with Go's escapes; \$ stays for the interpolation that follows when it is matched.
func (l *lexer) quoted() string {
	start := l.pos
	l.pos++
	for l.pos < len(l.text) && l.text[l.pos] != '"' {
		if l.text[l.pos] == '\\' {
			l.pos++
		}
		l.pos++
	}
	if l.pos >= len(l.text) {
		l.fail("no closing quote")
	}
	l.pos++
	text, err := strconv.Unquote(strings.ReplaceAll(l.text[start:l.pos], `\$`, dollar))
	if err != nil {
		l.fail(err.Error())
	}
	return text
}
