// Package format writes figures for people: three significant digits, the unit that fits, thousands grouped.
package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Seconds writes a latency: "850 ms", "1.20 s", "12 µs", "3 m 20 s".
func Seconds(s float64) string {
	switch a := math.Abs(s); {
	case math.IsNaN(s) || math.IsInf(s, 0):
		return "–"
	case a == 0:
		return "0"
	case a < .9995e-3:
		return figure(s*1e6) + " µs"
	case a < .9995:
		return figure(s*1e3) + " ms"
	case a < 120:
		return figure(s) + " s"
	}
	return Clock(time.Duration(s * float64(time.Second)))
}

// Clock writes a length of time to the second: "45 s", "3 m 20 s", "2 h 05 m".
func Clock(d time.Duration) string {
	s := int64(math.Round(d.Seconds()))
	switch {
	case s < 0:
		return "0 s"
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d m %02d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %02d m", s/3600, s%3600/60)
}

// Count groups thousands: "1,234,567".
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// Number writes any figure with three significant digits and no exponent: "1,230", "0.0123", "2".
func Number(v float64) string {
	s := figure(v)
	if whole, fraction, ok := strings.Cut(s, "."); ok && strings.Trim(fraction, "0") == "" {
		return whole
	}
	return s
}

// figure writes three significant digits, zeros too, so that figures of one column have one precision.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 1e15:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case a >= 999.5:
		return Count(int64(math.Round(v)))
	case a == 0:
		return "0"
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return "–"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(rounded))))
	return strings.Replace(strconv.FormatFloat(v, 'f', min(max(digits, 0), 9), 64), "-", "−", 1)
}

// Rate writes operations per second: "97.6/s".
func Rate(v float64) string { return figure(v) + "/s" }

// Percent writes a share: "0.12 %".
func Percent(share float64) string { return figure(share*100) + " %" }

// Bytes writes an amount in binary units: "1.50 MiB".
func Bytes(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for math.Abs(v) >= 1023.5 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if i == 0 {
		return Number(v) + " B"
	}
	return figure(v) + " " + units[i]
}
