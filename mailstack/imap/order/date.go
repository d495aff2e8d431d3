package order

import (
	"strconv"
	"strings"
	"time"
)

// maxDate bounds the bytes of a Date field that are looked at.
const maxDate = 200

// SentDate reads the value of a Date field (RFC 5322, 3.3, with the obsolete forms of 4.3) as RFC 5256, section 2.2, wants it:
// a time that is no time counts as 00:00:00, a zone that is no zone as UTC. It is false if there is no date; what then
// counts is the date of arrival.
func SentDate(value string) (time.Time, bool) {
	var d date
	for token := range strings.FieldsFuncSeq(withoutComments(value[:min(len(value), maxDate)]), func(r rune) bool {
		return r == ' ' || r == '\t' || r == ',' || r == '\r' || r == '\n'
	}) {
		d.token(token)
	}
	if d.day == 0 || d.month == 0 || d.year == 0 {
		return time.Time{}, false
	}
	t := time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC)
	if t.Day() != d.day { // 30 February
		return time.Time{}, false
	}
	return t.Add(d.time - d.zone), true
}

// date is what has been found of one.
type date struct {
	day, year  int
	month      time.Month
	time, zone time.Duration
}

// token takes one word for what it looks like. The day of the week is not looked at.
func (d *date) token(s string) {
	switch c := s[0]; {
	case strings.Contains(s, ":"):
		d.time = clock(s)
	case c == '+' || c == '-':
		d.zone = offset(s)
	case '0' <= c && c <= '9':
		n, err := strconv.Atoi(s)
		if err != nil {
			return
		}
		if d.day == 0 && len(s) <= 2 && n >= 1 && n <= 31 {
			d.day = n
		} else if d.year == 0 {
			d.year = fullYear(n, len(s))
		}
	case d.month == 0:
		d.month = months[strings.ToLower(s[:min(len(s), 3)])]
	default:
		d.zone = zones[strings.ToUpper(s)]
	}
}

var months = map[string]time.Month{"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9,
	"oct": 10, "nov": 11, "dec": 12}

// zones are those of RFC 5322, 4.3; all other names mean nothing certain and count as UTC.
var zones = map[string]time.Duration{"EDT": -4 * time.Hour, "EST": -5 * time.Hour, "CDT": -5 * time.Hour, "CST": -6 * time.Hour,
	"MDT": -6 * time.Hour, "MST": -7 * time.Hour, "PDT": -7 * time.Hour, "PST": -8 * time.Hour}

// fullYear reads years of two and three digits as RFC 5322, 4.3 does; 0 for what is no year.
func fullYear(n, digits int) int {
	switch {
	case digits == 2 && n < 50:
		return 2000 + n
	case digits == 2, digits == 3:
		return 1900 + n
	case digits == 4:
		return n
	}
	return 0
}

// clock reads hh:mm or hh:mm:ss; 0 for what is no time of day.
func clock(s string) time.Duration {
	parts := strings.Split(s, ":")
	limits := [...]int{23, 59, 60}
	if len(parts) < 2 || len(parts) > len(limits) {
		return 0
	}
	seconds := 0
	for i, limit := range limits {
		n := 0
		if i < len(parts) {
			v, err := strconv.ParseUint(parts[i], 10, 8)
			if err != nil || int(v) > limit {
				return 0
			}
			n = int(v)
		}
		seconds = seconds*60 + n
	}
	return time.Duration(seconds) * time.Second
}

// offset reads a zone of a sign and four digits; 0 for what is none.
func offset(s string) time.Duration {
	n, err := strconv.ParseUint(s[1:], 10, 16)
	if err != nil || len(s) != 5 || n%100 > 59 || n > 2359 {
		return 0
	}
	d := time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	if s[0] == '-' {
		return -d
	}
	return d
}

// withoutComments leaves out what is in parentheses (RFC 5322, 3.2.2).
func withoutComments(s string) string {
	if !strings.Contains(s, "(") {
		return s
	}
	b := make([]byte, 0, len(s))
	depth := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '(':
			depth++
			b = append(b, ' ')
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b = append(b, c)
		}
	}
	return string(b)
}
