package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// widest is the most columns used, however wide the terminal is.
const widest = 132

// style colours text, or does not.
type style bool

// SGR codes (ECMA-48, 8.3.117).
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
)

func (s style) as(code, text string) string {
	if !s || text == "" || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// clean replaces what could move the cursor or change the terminal: text may come from the target.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, text)
}

// clip cuts a line at so many columns; escape sequences take none.
func clip(line string, columns int) string {
	n := 0
	for i := 0; i < len(line); {
		if line[i] == '\x1b' {
			end := strings.IndexByte(line[i:], 'm')
			if end < 0 {
				return line[:i]
			}
			i += end + 1
			continue
		}
		if n == columns {
			if strings.Contains(line[:i], "\x1b") {
				return line[:i] + "\x1b[0m"
			}
			return line[:i]
		}
		_, size := utf8.DecodeRuneInString(line[i:])
		i += size
		n++
	}
	return line
}

func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-utf8.RuneCountInString(text)))
}

// spark draws values as a curve of one line, from 0 to the highest.
func spark(values []float64) string {
	const steps = "▁▂▃▄▅▆▇█"
	highest := 0.0
	for _, v := range values {
		highest = max(highest, v)
	}
	var b strings.Builder
	for _, v := range values {
		i := 0
		if highest > 0 {
			i = min(7, int(v/highest*7.999))
		}
		b.WriteRune([]rune(steps)[i])
	}
	return b.String()
}

// bar draws a share as so many columns.
func (s style) bar(share float64, columns int) string {
	full := min(columns, max(0, int(share*float64(columns)+.5)))
	if !s {
		return strings.Repeat("━", full) + strings.Repeat("·", columns-full)
	}
	return s.as(green, strings.Repeat("━", full)) + s.as(dim, strings.Repeat("━", columns-full))
}

// wrap breaks text into lines of so many columns at spaces; words longer than a line are left whole.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
