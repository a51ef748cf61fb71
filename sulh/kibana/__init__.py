"""Kibana: what analysts see there is described in `mappings/kibana`, made into saved objects here, and imported."""
