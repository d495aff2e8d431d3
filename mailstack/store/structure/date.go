package structure

import (
	"strings"
	"time"
)

// parseDate reads a Date field (RFC 5322, 3.3 and 4.3) as RFC 5256, 2.2 wants it: a day is needed, a time that makes no
// sense is midnight, and a zone that makes none is UTC. Month names may come first. Zero if there is no day.
func parseDate(s string) time.Time {
	var d dateParser
	for len(s) > 0 {
		switch c := s[0]; {
		case c == '(': // comments come last in practice
			s = ""
		case c == ' ' || c == '\t' || c == ',' || c == '-' && !d.timed:
			s = s[1:]
		default:
			n := 1
			for n < len(s) && strings.IndexByte(" \t,(-+", s[n]) < 0 {
				n++
			}
			d.take(s[:n])
			s = s[n:]
		}
	}
	return d.time()
}

// maxOffset bounds zones: a day in seconds.
const maxOffset = 24 * 3600

type dateParser struct {
	year, day            int
	month                time.Month
	hour, minute, second int
	hasYear, timed       bool
	offset               int // seconds
}

// take takes one word.
func (d *dateParser) take(word string) {
	switch c := word[0]; {
	case strings.IndexByte(word, ':') > 0:
		d.clock(word)
	case (c == '+' || c == '-') && d.timed:
		d.zone(word)
	case '0' <= c && c <= '9':
		n, ok := number(word)
		switch {
		case !ok:
		case d.day == 0 && len(word) <= 2:
			d.day = n
		case !d.hasYear:
			d.year, d.hasYear = fullYear(n, len(word)), true
		}
	case d.timed && d.zoneName(word):
	case d.month == 0 && len(word) >= 3:
		d.month = monthOf(word)
	}
}

// clock reads hour, minute and, if it is there, second.
func (d *dateParser) clock(word string) {
	d.timed = true
	var parts [3]int
	i := 0
	for part := range strings.SplitSeq(word, ":") {
		n, ok := number(part)
		if !ok || i == len(parts) {
			return
		}
		parts[i] = n
		i++
	}
	if i < 2 || parts[0] > 23 || parts[1] > 59 || parts[2] > 60 {
		return
	}
	d.hour, d.minute, d.second = parts[0], parts[1], min(parts[2], 59)
}

func (d *dateParser) zone(word string) {
	n, ok := number(word[1:])
	if !ok || len(word) != 5 || n%100 > 59 || n/100 > 23 {
		return
	}
	if d.offset = n/100*3600 + n%100*60; word[0] == '-' {
		d.offset = -d.offset
	}
}

// zoneName reads the names of RFC 5322, 4.3. Others are UTC, military ones among them.
func (d *dateParser) zoneName(word string) bool {
	const hour = 3600
	for _, z := range [...]struct {
		name   string
		offset int
	}{{"EST", -5 * hour}, {"EDT", -4 * hour}, {"CST", -6 * hour}, {"CDT", -5 * hour}, {"MST", -7 * hour}, {"MDT", -6 * hour}, {"PST", -8 * hour}, {"PDT", -7 * hour}, {"GMT", 0}, {"UT", 0}, {"UTC", 0}, {"Z", 0}} {
		if strings.EqualFold(word, z.name) {
			d.offset = z.offset
			return true
		}
	}
	return false
}

// fullYear follows RFC 5322, 4.3: two digits are of 1950 to 2049, three count from 1900.
func fullYear(n, digits int) int {
	switch {
	case digits <= 2 && n < 50:
		return n + 2000
	case digits <= 3:
		return n + 1900
	}
	return n
}

// number reads a few digits.
func number(s string) (n int, ok bool) {
	if s == "" || len(s) > 5 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// monthOf returns 0 for what does not begin like a month's name.
func monthOf(word string) time.Month {
	const months = "janfebmaraprmayjunjulaugsepoctnovdec"
	for m := range 12 {
		if strings.EqualFold(word[:3], months[3*m:3*m+3]) {
			return time.Month(m + 1)
		}
	}
	return 0
}

func (d *dateParser) time() time.Time {
	if d.day == 0 || d.month == 0 || !d.hasYear || d.year > 9999 {
		return time.Time{}
	}
	zone := time.UTC
	if d.offset != 0 {
		zone = time.FixedZone("", d.offset)
	}
	t := time.Date(d.year, d.month, d.day, d.hour, d.minute, d.second, 0, zone)
	if t.Day() != d.day { // there is no 31 February
		return time.Time{}
	}
	return t
}
