#!/bin/bash
# Runs once when a GPU instance starts, before it takes jobs (the ECS agent waits for cloud-init).

# Batch runs containers in the host's network, so the hop limit of the metadata service stops nobody: jobs would
# have the instance's own credentials. Their user may not speak to it; where that cannot be said, no job may run here.
iptables -w -I OUTPUT -m owner --uid-owner 10001 -d 169.254.169.254 -j REJECT || shutdown -h now

# What the instance is, for the reports: its type decides the price and, in the last digits, the mask.
token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
about() { curl -sf -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"; }
text() { if [ -n "$1" ]; then printf '"%s"' "${1//[^A-Za-z0-9 ._-]/}"; else printf null; fi; }

released=$(rpm -q --qf '%{VERSION}' system-release 2>/dev/null | grep -o '[0-9]\{8\}$')
gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1)
mkdir -p "${SAMMIX_MACHINE:=/etc/sammix}"
cat > "$SAMMIX_MACHINE/machine.json" <<END
{
  "instanceType": $(text "$(about instance-type || echo unknown)"),
  "market": $(text "$(about instance-life-cycle)"),
  "gpu": $(text "${gpu%%,*}"),
  "driver": $(text "$(sed -n 's/.*, *//p' <<< "$gpu")"),
  "image": $(text "$(about ami-id)"),
  "imageDate": $(text "$(sed -n 's/\(....\)\(..\)\(..\)/\1-\2-\3/p' <<< "$released")")
}
END
