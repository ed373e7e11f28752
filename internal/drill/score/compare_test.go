package score

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	bare, wall := madeUp("bare", 0), madeUp("Seawall | defaults", 0.9)
	wall.Results = wall.Results[:1]
	wall.Totals = totalsOf(wall.Results)
	wall.Results[0].Generator.Limit = true
	var b bytes.Buffer
	if err := Compare(&b, bare, wall); err != nil {
		t.Fatal(err)
	}
	want := `
| target | drill | attacks | events | scenarios |
|---|---:|---:|---:|---:|
| bare | **92.9** ± 0.6 | 85.8 ± 1.1 | 100.0 ± 0.3 | 2 |
| Seawall \| defaults | **93.8** ± 0.4 | 93.8 ± 0.4 | – | 1 |

Attacks: **total** · visitors served · refused · attack that reached the origin · mitigated

| scenario | bare | Seawall \| defaults |
|---|---|---|
| search-flood | **86** · 90.6 % · 9.4 % · 10.8 % · 3.0 s | **94** · 99.0 % · 1.0 % · 10.8 % · 3.0 s (!) |

Events: **total** · people and programs served · refused

| scenario | bare | Seawall \| defaults |
|---|---|---|
| newsletter | **100** · 100 % · 0 % | – |

(!): the generator, not the target, was the limit.
`
	if d := cmp.Diff(want, "\n"+b.String()); d != "" {
		t.Errorf("comparison (-want +got):\n%s", d)
	}
}

func TestFill(t *testing.T) {
	tests := []struct{ name, page, want, err string }{
		{"empty", "above\n" + TableBegin + "\n" + TableEnd + "\nbelow\n", "above\n" + TableBegin + "\n\n| a |\n\n" + TableEnd + "\nbelow\n", ""},
		{"filled", "above\n" + TableBegin + "\n| old |\n" + TableEnd + "\nbelow\n", "above\n" + TableBegin + "\n\n| a |\n\n" + TableEnd + "\nbelow\n", ""},
		{"no place", "above\n", "", "no place for the comparing table"},
		{"no end", TableEnd + TableBegin, "", "no place for the comparing table"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Fill([]byte(tt.page), "\n| a |\n")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
