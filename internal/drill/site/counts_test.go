package site

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMoments(t *testing.T) {
	start := time.Unix(1e9, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	c := newCounts(start)
	c.arrive(Home, Visitor, at(0))
	c.arrive(Home, Attacker, at(249))
	c.arrive(Search, Attacker, at(250))
	c.overload(at(260))
	c.depart(at(260))
	c.depart(at(900)) // two were in the site all the while
	c.depart(at(900))
	c.arrive(Home, Unknown, at(1000))
	want := []Moment{
		{Tally: Tally{Visitor: 1, Attacker: 1}, Peak: 2},
		{Tally: Tally{Attacker: 1}, Peak: 3, Overloaded: 1},
		{Peak: 2},
		{Peak: 2},
		{Tally: Tally{Unknown: 1}, Peak: 1},
		{Peak: 1},
	}
	if d := cmp.Diff(want, c.timeline(at(1250))); d != "" {
		t.Errorf("moments (-want +got):\n%s", d)
	}
	sum := c.snapshot()
	if sum.Peak != 3 || sum.PeakRate != 3 || sum.Sum() != 4 || sum.Concurrent != 1 {
		t.Errorf("got %+v, want a peak of 3 and of 3 a second, 4 in all, 1 in the site", sum)
	}

	c.restart(at(2000))
	c.arrive(Home, Visitor, at(2100))
	if d := cmp.Diff([]Moment{{Tally: Tally{Visitor: 1}, Peak: 2}}, c.timeline(at(2200))); d != "" {
		t.Errorf("moments after a restart (-want +got):\n%s", d)
	}
}

func TestMomentsAreBounded(t *testing.T) {
	c := newCounts(time.Unix(1e9, 0))
	late := time.Unix(1e9, 0).Add(time.Hour)
	c.arrive(Home, Visitor, late)
	c.overload(late)
	c.depart(late)
	if n := len(c.timeline(late)); n != maxMoments {
		t.Errorf("%d moments after an hour, want %d", n, maxMoments)
	}
	if sum := c.snapshot(); sum.Visitor != 1 || sum.Overloaded != 1 {
		t.Errorf("got %+v: what comes late counts in the sum", sum)
	}
}

func TestClient(t *testing.T) {
	tests := []struct {
		name   string
		fields http.Header
		want   string
	}{
		{"nobody between", nil, "127.0.0.1"},
		{"proxy", http.Header{"X-Forwarded-For": {"127.16.0.1"}}, "127.16.0.1"},
		{"last counts", http.Header{"X-Forwarded-For": {"127.16.0.1", "8.8.8.8, 127.16.0.2"}}, "127.16.0.2"},
		{"nginx's", http.Header{"X-Real-Ip": {"127.16.0.3"}}, "127.16.0.3"},
		{"both", http.Header{"X-Real-Ip": {"127.16.0.3"}, "X-Forwarded-For": {"127.16.0.1"}}, "127.16.0.1"},
		{"RFC 7239", http.Header{"Forwarded": {`for=8.8.8.8, proto=https;For="127.16.0.4:80";by=127.0.0.1`}}, "127.16.0.4"},
		{"IPv6", http.Header{"Forwarded": {`for="[2001:db8::1]:80"`}}, "2001:db8::1"},
		{"mapped", http.Header{"X-Forwarded-For": {"::ffff:127.16.0.1"}}, "127.16.0.1"},
		{"nonsense", http.Header{"X-Forwarded-For": {"secret"}, "Forwarded": {"for=_hidden"}}, "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := client(&http.Request{RemoteAddr: "127.0.0.1:5", Header: tt.fields}).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
