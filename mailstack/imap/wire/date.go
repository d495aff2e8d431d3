package wire

import (
	"time"
)

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// Date takes a date such as 1-Feb-2026, which may be quoted, and returns its midnight in UTC.
func (r *Reader) Date() (time.Time, error) {
	quoted := r.Accept('"')
	rest := r.buf[r.pos:r.eol]
	if len(rest) > 1 && rest[1] == '-' {
		return r.date(quoted, 1)
	}
	return r.date(quoted, 2)
}

func (r *Reader) date(quoted bool, dayDigits int) (time.Time, error) {
	bad := Bad("date is malformed; accepted is such as 1-Feb-2026")
	b := r.buf[r.pos:r.eol]
	length := dayDigits + len("-Feb-2026")
	if len(b) < length {
		return time.Time{}, bad
	}
	t, ok := parseDay(b[:length], dayDigits)
	if !ok {
		return time.Time{}, bad
	}
	r.pos += length
	if quoted && !r.Accept('"') {
		return time.Time{}, bad
	}
	return t, nil
}

// parseDay parses "dd-Mon-yyyy".
func parseDay(b []byte, dayDigits int) (time.Time, bool) {
	day, ok1 := digits(b[:dayDigits])
	year, ok2 := digits(b[dayDigits+5:])
	month := monthOf(b[dayDigits+1 : dayDigits+4])
	if !ok1 || !ok2 || month == 0 || b[dayDigits] != '-' || b[dayDigits+4] != '-' {
		return time.Time{}, false
	}
	t := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == day // there is no 31-Feb
}

// monthOf returns 0 for what is no month.
func monthOf(b []byte) time.Month {
	for m := range 12 {
		name := months[3*m : 3*m+3]
		if b[0]|0x20 == name[0]|0x20 && b[1]|0x20 == name[1] && b[2]|0x20 == name[2] {
			return time.Month(m + 1)
		}
	}
	return 0
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || '9' < c {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

// DateTime takes a date and time such as " 1-Feb-2026 12:30:00 +0000" in quotes (RFC 9051, section 9, date-time).
func (r *Reader) DateTime() (time.Time, error) {
	const layout = `" 1-Feb-2026 12:30:00 +0000"`
	bad := Bad("date and time are malformed; accepted are such as " + layout)
	b := r.buf[r.pos:r.eol]
	if len(b) < len(layout) || b[0] != '"' || b[len(layout)-1] != '"' {
		return time.Time{}, bad
	}
	var day [11]byte
	copy(day[:], b[1:12])
	if day[0] == ' ' {
		day[0] = '0'
	}
	date, ok := parseDay(day[:], 2)
	hour, ok1 := digits(b[13:15])
	minute, ok2 := digits(b[16:18])
	second, ok3 := digits(b[19:21])
	zoneHour, ok4 := digits(b[23:25])
	zoneMinute, ok5 := digits(b[25:27])
	if !(ok && ok1 && ok2 && ok3 && ok4 && ok5) || b[12] != ' ' || b[15] != ':' || b[18] != ':' || b[21] != ' ' ||
		b[22] != '+' && b[22] != '-' || hour > 23 || minute > 59 || second > 60 || zoneMinute > 59 {
		return time.Time{}, bad
	}
	zone := zoneHour*3600 + zoneMinute*60
	if b[22] == '-' {
		zone = -zone
	}
	r.pos += len(layout)
	y, m, d := date.Date()
	return time.Date(y, m, d, hour, minute, second, 0, time.FixedZone("", zone)), nil
}
