"""The processor: decides who is present. ``core`` decides; everything else here is Faust, Kafka and a clock."""
