# Rule 4: whoever leaves says so first. The holder hands over, others are promoted, and nobody's work stops.

office 5 desktops seats 2 ttl 15s
> 3 voters, 2 standbys, 0 spares
call Old the holder
call Desk a standby
checkout eva@Desk as a
> granted
stop Old
ask jan@Desk as b
await b has a seat within 1s
> yes
await Old stopped within 3s
> yes
show a
> uses a seat

# Its vote goes to a standby as soon as the new holder has known one for 5 s.
await Old not voter within 10s
> yes
wait 1s
show Old
> standby, off

# Two leave at once. A voter's vote is taken over before it goes, and not by a machine that goes, too.
office 6 desktops seats 1 ttl 15s
> 3 voters, 2 standbys, 1 spare
call One a voter
call Goes a standby
call Stays a standby
stop One Goes
await Stays voter within 2s
> yes
await One Goes stopped within 3s
> yes
await One not voter within 1s
> yes
wait 8s
show the-holder
> holder
show Stays
> voter

# Both other voters leave at once.
office 6 desktops seats 1 ttl 15s
> 3 voters, 2 standbys, 1 spare
call One a voter
call Two a voter
call Stand a standby
call Stay a standby
stop One Two
await Stand Stay voter within 2s
> yes
await One Two stopped within 3s
> yes
wait 2s
show roles
> 3 voters, 2 standbys, 1 spare
> One: spare, off
> Two: standby, off
> Stand: voter
> Stay: voter
