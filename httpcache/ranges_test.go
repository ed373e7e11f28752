package httpcache

import (
	"testing"
	"time"
)

func TestParseRange(t *testing.T) {
	tests := []struct {
		name          string
		value         string
		size          int64
		start, length int64
		want          RangeOutcome
	}{
		{"9110 §14.1.2 first bytes", "bytes=0-499", 10000, 0, 500, RangeSatisfiable},
		{"9110 §14.1.2 from a position", "bytes=9500-", 10000, 9500, 500, RangeSatisfiable},
		{"9110 §14.1.2 last bytes", "bytes=-500", 10000, 9500, 500, RangeSatisfiable},
		{"9110 §14.1.2 one byte", "bytes=0-0", 10000, 0, 1, RangeSatisfiable},
		{"9110 §14.1.2 end beyond the content", "bytes=9500-99999", 10000, 9500, 500, RangeSatisfiable},
		{"9110 §14.1.2 suffix longer than the content", "bytes=-99999", 10000, 0, 10000, RangeSatisfiable},
		{"9110 §14.1 unit in any case", "Bytes=0-1", 10000, 0, 2, RangeSatisfiable},
		{"9110 §14.1.1 huge positions", "bytes=5-99999999999999999999999", 10, 5, 5, RangeSatisfiable},
		{"9110 §14.1.2 start beyond the content", "bytes=10000-", 10000, 0, 0, RangeUnsatisfiable},
		{"9110 §14.1.2 huge start", "bytes=99999999999999999999-", 10000, 0, 0, RangeUnsatisfiable},
		{"9110 §14.1.2 empty suffix", "bytes=-0", 10000, 0, 0, RangeUnsatisfiable},
		{"9110 §14.2 several ranges", "bytes=0-1,3-4", 10000, 0, 0, RangeIgnored},
		{"9110 §14.2 other unit", "items=0-1", 10000, 0, 0, RangeIgnored},
		{"9110 §14.1.1 end before start", "bytes=5-4", 10000, 0, 0, RangeIgnored},
		{"9110 §14.2 empty content", "bytes=0-", 0, 0, 0, RangeIgnored},
		{"9110 §14.1.1 no dash", "bytes=5", 10000, 0, 0, RangeIgnored},
		{"9110 §14.1.1 dash only", "bytes=-", 10000, 0, 0, RangeIgnored},
		{"9110 §14.1.1 no unit", "0-1", 10000, 0, 0, RangeIgnored},
		{"9110 §14.1.1 space", "bytes= 0-1", 10000, 0, 0, RangeIgnored},
		{"9110 §14.1.1 sign", "bytes=+0-1", 10000, 0, 0, RangeIgnored},
		{"9110 §14.1.1 two dashes", "bytes=0--1", 10000, 0, 0, RangeIgnored},
		{"9110 §14.1.1 empty", "", 10000, 0, 0, RangeIgnored},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start, length, got := ParseRange(tt.value, tt.size)
			if start != tt.start || length != tt.length || got != tt.want {
				t.Errorf("got %d+%d (%v), want %d+%d (%v)", start, length, got, tt.start, tt.length, tt.want)
			}
		})
	}
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=5-", "bytes=-5", "bytes=99999999999999999999-", "bytes=-", "=", "bytes=1-1,2-2"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		start, length, o := ParseRange(value, size)
		if o != RangeSatisfiable {
			if start != 0 || length != 0 {
				t.Errorf("%q of %d: got %d+%d without a range", value, size, start, length)
			}
			return
		}
		if start < 0 || length <= 0 || start > size-length {
			t.Errorf("%q of %d: got %d+%d, want it within the content", value, size, start, length)
		}
	})
}

func TestRange(t *testing.T) {
	hourOld := "Last-Modified: " + at(-time.Hour)
	tests := []struct {
		name    string
		stored  []Field
		status  int
		method  string
		request []Field
		want    RangeOutcome
	}{
		{name: "9110 §14.2 no Range", want: RangeIgnored},
		{name: "9110 §14.2 Range", request: fields("Range: bytes=0-1"), want: RangeSatisfiable},
		{name: "9110 §14.2 beyond the end", request: fields("Range: bytes=100-"), want: RangeUnsatisfiable},
		{name: "9110 §14.2 GET only", method: "HEAD", request: fields("Range: bytes=0-1"), want: RangeIgnored},
		{name: "9110 §14.2 200 only", status: 404, request: fields("Range: bytes=0-1"), want: RangeIgnored},
		{name: "9110 §14.2 repeated Range", request: fields("Range: bytes=0-1", "Range: bytes=0-1"), want: RangeIgnored},
		{name: "9110 §13.1.5 same strong tag", stored: fields(`ETag: "a"`), request: fields("Range: bytes=0-1", `If-Range: "a"`), want: RangeSatisfiable},
		{name: "9110 §13.1.5 other tag", stored: fields(`ETag: "a"`), request: fields("Range: bytes=0-1", `If-Range: "b"`), want: RangeIgnored},
		{name: "9110 §13.1.5 other tag, beyond the end", stored: fields(`ETag: "a"`), request: fields("Range: bytes=100-", `If-Range: "b"`), want: RangeIgnored},
		{name: "9110 §13.1.5 weak tags never match", stored: fields(`ETag: W/"a"`), request: fields("Range: bytes=0-1", `If-Range: W/"a"`), want: RangeIgnored},
		{name: "9110 §13.1.5 a list is no validator", stored: fields(`ETag: "a"`), request: fields("Range: bytes=0-1", `If-Range: "a", "b"`), want: RangeIgnored},
		{name: "9110 §13.1.5 no tag stored", request: fields("Range: bytes=0-1", `If-Range: "a"`), want: RangeIgnored},
		{name: "9110 §13.1.5 repeated If-Range", stored: fields(`ETag: "a"`), request: fields("Range: bytes=0-1", `If-Range: "a"`, `If-Range: "a"`), want: RangeIgnored},
		{name: "9110 §13.1.5 same date", stored: fields(hourOld, "Date: "+at(0)), request: fields("Range: bytes=0-1", "If-Range: "+at(-time.Hour)), want: RangeSatisfiable},
		{name: "9110 §13.1.5 later date is not the same", stored: fields(hourOld, "Date: "+at(0)), request: fields("Range: bytes=0-1", "If-Range: "+at(0)), want: RangeIgnored},
		{name: "9110 §8.8.2.2 a date too close to Date is weak", stored: fields(hourOld, "Date: "+at(-time.Hour+30*time.Second)), request: fields("Range: bytes=0-1", "If-Range: "+at(-time.Hour)), want: RangeIgnored},
		{name: "9110 §13.1.5 no date stored", request: fields("Range: bytes=0-1", "If-Range: "+at(0)), want: RangeIgnored},
		{name: "9110 §13.1.5 broken", request: fields("Range: bytes=0-1", "If-Range: a"), want: RangeIgnored},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := describe(&Response{Status: orOK(tt.status), Fields: tt.stored}, &responseDirectives{}, t0, t0)
			if _, _, got := m.Range(&Request{Method: orGet(tt.method), Fields: tt.request}, 100); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
