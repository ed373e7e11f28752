package xdp

import (
	"testing"

	"github.com/seawall/seawall/internal/packet"
)

// TestVocabulary: the program counts reasons and features as the rest of the house does.
func TestVocabulary(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  uint32
		want int
	}{
		{"passed", uint32(filterReasonR_PASSED), int(packet.Passed)},
		{"left to the kernel", uint32(filterReasonR_ROOM), int(packet.LeftToKernel)},
		{"cookie", uint32(filterReasonR_COOKIE), int(packet.Cookie)},
		{"signature", uint32(filterReasonR_SIGNATURE), int(packet.BySignature)},
		{"no cookie", uint32(filterReasonR_NO_COOKIE), int(packet.NoCookie)},
		{"network", uint32(filterReasonR_GROUP), int(packet.OverGroup)},
		{"reasons", uint32(filterReasonREASONS), int(packet.Reasons)},
		{"protocol", uint32(filterFeatureF_PROTOCOL), int(packet.Protocol)},
		{"payload length", uint32(filterFeatureF_PAYLOAD_LENGTH), int(packet.PayloadLength)},
		{"window scale", uint32(filterFeatureF_WINDOW_SCALE), int(packet.WindowScale)},
		{"version", uint32(filterFeatureF_VERSION), int(packet.Version)},
		{"features", uint32(filterFeatureFEATURES), int(packet.Features)},
		{"words", uint32(filterFeatureWORDS), sampleWords},
		{"payload", uint32(filterFeatureF_PAYLOAD), int(packet.Payload)},
	} {
		if tt.got != uint32(tt.want) {
			t.Errorf("%s: the program has %d, the vocabulary %d", tt.name, tt.got, tt.want)
		}
	}
}
