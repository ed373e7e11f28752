package spec

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxRate is the highest rate that can be counted, in requests a second.
const maxRate = 1_000_000

// Parse reads "50/s", "600/m", "100/10s" or "off". The burst is left as it is.
func (r *Rate) Parse(text string) error {
	if text == "off" {
		*r = Rate{}
		return nil
	}
	count, per, ok := strings.Cut(text, "/")
	requests, err := strconv.Atoi(count)
	if !ok || err != nil || requests < 1 {
		return fmt.Errorf("%q is no rate: want requests per time, such as 50/s, 600/m or 100/10s, or off", text)
	}
	if per != "" && (per[0] < '0' || per[0] > '9') {
		per = "1" + per
	}
	period, err := time.ParseDuration(per)
	if err != nil || period < time.Millisecond || period > 24*time.Hour {
		return fmt.Errorf("%q is no rate: %q is not a time from 1ms to 24h, such as s, m, h or 10s", text, per)
	}
	if float64(requests) > maxRate*period.Seconds() {
		return fmt.Errorf("%q is too high a rate: at most %d/s can be counted; off is no limit", text, maxRate)
	}
	r.Requests, r.Per = requests, period
	return nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] for "50/s", "50/s burst 200" and "off". Without a burst, the one before stays.
func (r *Rate) UnmarshalText(text []byte) error {
	rate, burst, given := strings.Cut(string(text), " burst ")
	into := *r
	if err := into.Parse(rate); err != nil {
		return err
	}
	if given {
		n, err := strconv.Atoi(burst)
		if err != nil || n < 0 || rate == "off" {
			return fmt.Errorf("%q is no rate: want a number of requests after burst, such as 50/s burst 200", text)
		}
		into.Burst = n
	}
	*r = into
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String is the rate as text.
func (r Rate) String() string {
	if r.Requests == 0 {
		return "off"
	}
	per := r.Per.String()
	switch r.Per {
	case time.Second:
		per = "s"
	case time.Minute:
		per = "m"
	case time.Hour:
		per = "h"
	}
	return fmt.Sprintf("%d/%s burst %d", r.Requests, per, r.Burst)
}
