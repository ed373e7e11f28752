package spec

import "testing"

func TestSize(t *testing.T) {
	tests := []struct {
		text, again string
		want        Size
		ok          bool
	}{
		{"0", "0", 0, true},
		{"1000", "1000", 1000, true},
		{"1024", "1KiB", 1 << 10, true},
		{"64KiB", "64KiB", 64 << 10, true},
		{"256 MiB", "256MiB", 256 << 20, true},
		{"2GiB", "2GiB", 2 << 30, true},
		{"", "", 0, false},
		{"MiB", "", 0, false},
		{"-1", "", 0, false},
		{"1.5GiB", "", 0, false},
		{"256MB", "", 0, false},
		{"9223372036854775807GiB", "", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			var got Size
			err := got.UnmarshalText([]byte(tt.text))
			if (err == nil) != tt.ok || got != tt.want {
				t.Fatalf("got %d, %v, want %d", got, err, tt.want)
			}
			if tt.ok && got.String() != tt.again {
				t.Errorf("written as %s, want %s", got, tt.again)
			}
		})
	}
}

func FuzzSize(f *testing.F) {
	f.Add("256MiB")
	f.Add("9223372036854775807GiB")
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Size
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%q gave %d, its text %v gave %d, %v", text, s, s, again, err)
		}
	})
}
