package store

import "time"

// Date is an internal date with the zone in which it was given (RFC 9051, 2.3.3), to the millisecond and the minute. Dates
// are ordered as their numbers are.
type Date int64

const (
	zoneBits = 12
	zoneUTC  = 1 << (zoneBits - 1) // minutes east of UTC are counted from here
)

// DateOf returns the date of a time.
func DateOf(t time.Time) Date {
	_, offset := t.Zone()
	zone := offset/60 + zoneUTC
	if zone < 0 || zone >= 1<<zoneBits {
		zone = zoneUTC
	}
	return Date(t.UnixMilli()<<zoneBits | int64(zone))
}

// Time returns the time in its zone.
func (d Date) Time() time.Time {
	t := time.UnixMilli(d.Milli())
	minutes := int(d&(1<<zoneBits-1)) - zoneUTC
	if minutes == 0 {
		return t.UTC()
	}
	return t.In(time.FixedZone("", minutes*60))
}

// Milli is the time in Unix milliseconds.
func (d Date) Milli() int64 { return int64(d) >> zoneBits }
