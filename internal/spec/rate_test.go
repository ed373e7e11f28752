package spec

import (
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	tests := []struct {
		text string
		want Rate
		ok   bool
	}{
		{"50/s", Rate{50, time.Second, 7}, true},
		{"600/m", Rate{600, time.Minute, 7}, true},
		{"100/10s", Rate{100, 10 * time.Second, 7}, true},
		{"1/24h", Rate{1, 24 * time.Hour, 7}, true},
		{"off", Rate{}, true},
		{"", Rate{}, false},
		{"50", Rate{}, false},
		{"0/s", Rate{}, false},
		{"-1/s", Rate{}, false},
		{"50/", Rate{}, false},
		{"50/x", Rate{}, false},
		{"50/25h", Rate{}, false},
		{"50/1us", Rate{}, false},
		{"1000000/s", Rate{1_000_000, time.Second, 7}, true},
		{"1000001/s", Rate{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got := Rate{Burst: 7}
			err := got.Parse(tt.text)
			if (err == nil) != tt.ok {
				t.Fatalf("error %v, want ok %v", err, tt.ok)
			}
			if tt.ok && got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRateText(t *testing.T) {
	tests := []struct {
		text, again string
		want        Rate
		ok          bool
	}{
		{"50/s", "50/s burst 7", Rate{50, time.Second, 7}, true},
		{"50/s burst 200", "50/s burst 200", Rate{50, time.Second, 200}, true},
		{"600/m burst 0", "600/m burst 0", Rate{600, time.Minute, 0}, true},
		{"5/h burst 1", "5/h burst 1", Rate{5, time.Hour, 1}, true},
		{"100/10s burst 5", "100/10s burst 5", Rate{100, 10 * time.Second, 5}, true},
		{"off", "off", Rate{}, true},
		{"off burst 5", "", Rate{}, false},
		{"50/s burst", "", Rate{}, false},
		{"50/s burst -1", "", Rate{}, false},
		{"50/s burst many", "", Rate{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got := Rate{Burst: 7}
			err := got.UnmarshalText([]byte(tt.text))
			if (err == nil) != tt.ok {
				t.Fatalf("error %v, want ok %v", err, tt.ok)
			}
			if tt.ok && (got != tt.want || got.String() != tt.again) {
				t.Errorf("got %+v, written as %s, want %+v and %s", got, got, tt.want, tt.again)
			}
		})
	}
}

func FuzzParseRate(f *testing.F) {
	f.Add("50/s")
	f.Add("100/10s")
	f.Add("off")
	f.Fuzz(func(t *testing.T, text string) {
		var r Rate
		if err := r.Parse(text); err == nil && text != "off" && (r.Requests < 1 || r.Per < time.Millisecond) {
			t.Errorf("%q gave %v", text, r)
		}
		var whole, again Rate
		if whole.UnmarshalText([]byte(text)) == nil {
			if err := again.UnmarshalText([]byte(whole.String())); err != nil || again != whole {
				t.Errorf("%q gave %v, which reads as %v, %v", text, whole, again, err)
			}
		}
	})
}
