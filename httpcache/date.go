package httpcache

import (
	"strings"
	"time"
)

// ParseDate reads an HTTP-date in any of its three formats (RFC 9110 §5.6.7): IMF-fixdate, RFC 850 and asctime. As
// RFC 9111 §4.2 asks of caches, letter case is ignored and no zone but GMT is accepted. The name of the day must be one
// but need not be the right one. A two-digit year that would lie more than 50 years after now is a past one.
func ParseDate(s string, now time.Time) (t time.Time, ok bool) {
	p := dateParser{rest: s, ok: true}
	comma := strings.IndexByte(s, ',')
	switch {
	case comma == 3:
		p.imfFixdate()
	case comma > 3:
		p.rfc850(now)
	default:
		p.asctime()
	}
	return p.time()
}

// formatDate renders t as IMF-fixdate.
func formatDate(t time.Time) string {
	return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
}

// dateParser reads a date from left to right; ok stays false after the first thing that does not fit.
type dateParser struct {
	rest string
	ok   bool

	year, month, day, hour, minute, second int
}

// imfFixdate reads "Sun, 06 Nov 1994 08:49:37 GMT".
func (p *dateParser) imfFixdate() {
	p.name(shortDays)
	p.literal(", ")
	p.day = p.digits(2)
	p.literal(" ")
	p.month = p.name(months) + 1
	p.literal(" ")
	p.year = p.digits(4)
	p.literal(" ")
	p.clock()
	p.literal(" GMT")
}

// rfc850 reads "Sunday, 06-Nov-94 08:49:37 GMT".
func (p *dateParser) rfc850(now time.Time) {
	p.longDay()
	p.literal(", ")
	p.day = p.digits(2)
	p.literal("-")
	p.month = p.name(months) + 1
	p.literal("-")
	thisYear := now.UTC().Year()
	p.year = thisYear - thisYear%100 + p.digits(2)
	p.literal(" ")
	p.clock()
	p.literal(" GMT")
	// The first two digits are those that bring the date into the century around now.
	if t, ok := p.time(); ok {
		switch {
		case t.After(now.AddDate(50, 0, 0)):
			p.year -= 100
		case !t.AddDate(100, 0, 0).After(now.AddDate(50, 0, 0)):
			p.year += 100
		}
	}
}

// asctime reads "Sun Nov  6 08:49:37 1994".
func (p *dateParser) asctime() {
	p.name(shortDays)
	p.literal(" ")
	p.month = p.name(months) + 1
	p.literal(" ")
	if strings.HasPrefix(p.rest, " ") {
		p.literal(" ")
		p.day = p.digits(1)
	} else {
		p.day = p.digits(2)
	}
	p.literal(" ")
	p.clock()
	p.literal(" ")
	p.year = p.digits(4)
}

func (p *dateParser) clock() {
	p.hour = p.digits(2)
	p.literal(":")
	p.minute = p.digits(2)
	p.literal(":")
	p.second = p.digits(2)
}

const (
	shortDays = "SunMonTueWedThuFriSat"
	months    = "JanFebMarAprMayJunJulAugSepOctNovDec"
)

// name reads one of the three-letter names in all and returns its index.
func (p *dateParser) name(all string) int {
	for i := 0; i+3 <= len(all); i += 3 {
		if len(p.rest) >= 3 && strings.EqualFold(p.rest[:3], all[i:i+3]) {
			p.rest = p.rest[3:]
			return i / 3
		}
	}
	p.ok = false
	return 0
}

func (p *dateParser) longDay() {
	for d := time.Sunday; d <= time.Saturday; d++ {
		name := d.String()
		if len(p.rest) >= len(name) && strings.EqualFold(p.rest[:len(name)], name) {
			p.rest = p.rest[len(name):]
			return
		}
	}
	p.ok = false
}

func (p *dateParser) literal(s string) {
	if len(p.rest) < len(s) || !strings.EqualFold(p.rest[:len(s)], s) {
		p.ok = false
		return
	}
	p.rest = p.rest[len(s):]
}

func (p *dateParser) digits(n int) (v int) {
	if len(p.rest) < n {
		p.ok = false
		return 0
	}
	for i := range n {
		if !isDigit(p.rest[i]) {
			p.ok = false
			return 0
		}
		v = v*10 + int(p.rest[i]-'0')
	}
	p.rest = p.rest[n:]
	return v
}

// time is the date that was read, if everything was in its range. A leap second becomes the second before it: RFC 9111
// §4.2 has Expires rounded down.
func (p *dateParser) time() (t time.Time, ok bool) {
	if !p.ok || p.rest != "" || p.hour > 23 || p.minute > 59 || p.second > 60 {
		return time.Time{}, false
	}
	t = time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, min(p.second, 59), 0, time.UTC)
	if t.Day() != p.day { // day 0, or one that the month has not
		return time.Time{}, false
	}
	return t, true
}
